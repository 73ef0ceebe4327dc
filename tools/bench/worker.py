"""The driver's side of a worker process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from typing import Any

from bench import ROOT
from bench.environments import HERE, python
from bench.peers import WORKERS, Peer


class WorkerError(RuntimeError):
    """A worker refused, crashed or took too long; the message names its log."""


class Worker:
    """A peer in a process of its own.

    Between requests the process is stopped (SIGSTOP): thread pools that spin while they wait for
    work, as most do, cannot disturb the peer that is measured.
    """

    def __init__(self, peer: Peer, threads: int, log: Path, environment: str | None = None) -> None:
        self.peer = peer
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        interpreter = python(environment or peer.environment)
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                # -P: a file beside serve.py must not hide the runtime of the same name.
                [interpreter, "-P", WORKERS / "serve.py", WORKERS / peer.file],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_variables(threads, environment or peer.environment),
            )
        try:
            self._receive(300)
        except WorkerError:
            self.close()
            raise
        self._stop()

    def ask(self, do: str, timeout: float = 900, **arguments: Any) -> dict[str, Any]:
        """Send a request and return the answer.

        Raises:
            WorkerError: the answer is an error, or there is none in `timeout` seconds.
        """
        with self._awake():
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                raise self._error("ended") from None
            return self._receive(timeout)

    def use_real_time(self) -> None:
        """Let no other program interrupt this one from now on (SCHED_RR; needs root).

        Raises:
            PermissionError: this user may not.
        """
        for thread in os.listdir(f"/proc/{self._process.pid}/task"):
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(20))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            # What was not sent to a process that is gone cannot be sent now.
            with suppress(BrokenPipeError):
                pipe.close()

    def _receive(self, timeout: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        line = b""
        end = time.monotonic() + timeout
        while not line.endswith(b"\n"):
            ready, _, _ = select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise self._error(f"gave no answer in {timeout:.0f} s")
            if not (part := os.read(pipe, 1 << 20)):
                raise self._error(f"ended with exit status {self._process.wait()}")
            line += part
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise self._error(answer["error"])
        return answer

    def _error(self, what: str) -> WorkerError:
        return WorkerError(f"{self.peer.name}: {what} (log: {self._log})")

    @contextmanager
    def _awake(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._stop()

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP)
            # It takes effect when the system gets to it; the next peer must not start before that.
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


def _variables(threads: int, environment: str) -> dict[str, str]:
    """Environment variables: thread counts for the runtimes that take them from there only."""
    names = ("OMP", "MKL", "OPENBLAS", "TVM", "OV")
    variables = dict(os.environ) | {f"{name}_NUM_THREADS": str(threads) for name in names}
    variables.pop("PYTHONPATH", None)
    if environment == HERE:
        variables["PYTHONPATH"] = str(ROOT / "python")
    return variables
