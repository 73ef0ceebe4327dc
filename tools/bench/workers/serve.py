"""The worker side of the protocol: loads one peer and obeys the driver until it is told to stop.

    python -P serve.py PEER.py

One request a line comes in on standard input as JSON, one answer a line goes out. Runtimes print as
they like, from C++ too, so answers go to a duplicate of standard output and everything else that is
printed goes to standard error. Needs NumPy and what the peer imports, nothing of this project.

A peer is a file with a class `Runner(case, product, threads, options)` that has `run()` and
`output()`, and, where a model must be converted first, a function
`convert(case, product, threads, options)` that writes into the folder `product` and may return
facts.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np


def load_peer(path: str) -> Any:
    """Import a file under a name that cannot hide the runtime that it imports."""
    spec = importlib.util.spec_from_file_location("bench_peer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # What is imported here is not part of a model's memory.
    spec.loader.exec_module(module)
    return module


def resident(key: str) -> int:
    """Bytes of VmRSS (now) or VmHWM (the most so far) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return 0


def forget_peak() -> None:
    """Start VmHWM again at the present size."""
    Path("/proc/self/clear_refs").write_text("5")


SHORT = 100e-6
"""Seconds that are timed at once: calls that take less share two readings of the clock."""


class Worker:
    """What the driver can ask for; each method is a request and returns the answer."""

    def __init__(self, peer: Any) -> None:
        self._peer = peer
        self._runner: Any = None
        self._start = 0

    def convert(self, case: str, product: str, threads: int, options: dict[str, Any]) -> Any:
        # What a converter imports when it is first called is not its memory.
        getattr(self._peer, "warm_up", lambda: None)()
        forget_peak()
        start = resident("VmRSS")
        begin = time.perf_counter()
        result = self._peer.convert(Path(case), Path(product), threads, options)
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "memory": resident("VmHWM") - start, "result": result}

    def load(self, case: str, product: str, threads: int, options: dict[str, Any]) -> Any:
        forget_peak()
        self._start = resident("VmRSS")
        begin = time.perf_counter()
        self._runner = self._peer.Runner(Path(case), Path(product), threads, options)
        self._runner.run()
        return {"seconds": time.perf_counter() - begin}

    def check(self, path: str) -> Any:
        self._runner.run()
        np.save(path, np.asarray(self._runner.output()))
        return {}

    def run(self, seconds: float, least: int, warm: int) -> Any:
        """Time calls until `seconds` have passed, at least `least` of them, after `warm` others.

        Short calls are timed a few at once: reading the clock takes 0.1 us.
        """
        call = self._runner.run
        begin = end = time.perf_counter()
        for _ in range(warm):
            begin = time.perf_counter()
            call()
            end = time.perf_counter()
        at_once = range(max(1, int(SHORT / max(end - begin, 1e-6))) if warm else 1)
        times: list[float] = []
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        cpu = time.process_time()
        start = end = time.perf_counter()
        while len(times) < least or end - start < seconds:
            begin = time.perf_counter()
            for _ in at_once:
                call()
            end = time.perf_counter()
            times.append((end - begin) / len(at_once))
        processors = (time.process_time() - cpu) / (end - start)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
        calls = len(times) * len(at_once)
        return {"times": times, "processors": processors, "faults": faults / calls}

    def memory(self) -> Any:
        """Bytes above what the process had before the model was loaded: the most, and now."""
        return {
            "peak": resident("VmHWM") - self._start,
            "steady": resident("VmRSS") - self._start,
        }


def die_with_driver() -> None:
    """A driver that is killed cannot end its workers, which are stopped: let the system do it."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main() -> None:
    die_with_driver()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(value: Any) -> None:
        answers.write(json.dumps(value) + "\n")

    try:
        worker = Worker(load_peer(sys.argv[1]))
        answer({})
    except BaseException as error:
        traceback.print_exc()
        answer({"error": f"{type(error).__name__}: {error}"})
        return
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(worker, request.pop("do"))(**request))
        except Exception as error:
            traceback.print_exc()
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
