"""Checks every peer against PyTorch, then times all of them in turn."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench import CACHE
from bench.case import Case, prepare
from bench.environments import HERE, REQUIREMENTS
from bench.machine import Unit
from bench.peers import Peer
from bench.realtime import real_time as privilege
from bench.summary import Spread, pooled, ratio
from bench.worker import Worker, WorkerError

TOLERANCE = 1e-3
"""Largest accepted difference from PyTorch, relative to the largest output. Winograd's transforms,
which several peers use, cost two digits."""

WARM = 2
"""Calls before the timed ones of a turn: the peers before have emptied the caches."""

FAR = 1e-7
"""Seconds that a cache line takes only between processors that share no cache."""
MANY_FAULTS = 100
"""Page faults a call from which they are worth a warning: a tenth of a millisecond."""


class HasFolder(Protocol):
    """What is measured, as files."""

    @property
    def folder(self) -> Path:
        """Where the files are."""


@dataclass
class Timing:
    """What was measured of one peer.

    Attributes:
        rounds: seconds of each call, by round.
        error: largest difference from PyTorch, relative to the largest output.
        preparation: seconds of converting or compiling, None if that was done in an earlier run.
        loading: seconds of loading and the first call.
        memory: bytes at the peak and now, above the process before it loaded the model.
        processors: processor time over wall time while it ran, by round.
        faults: pages that the system had to give it, for each call, by round: memory that is
            allocated again at every call.
    """

    peer: Peer
    rounds: list[list[float]] = field(default_factory=list)
    error: float = 0.0
    preparation: float | None = None
    loading: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)
    processors: list[float] = field(default_factory=list)
    faults: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> Spread:
        """The time of a call."""
        return pooled(self.rounds)

    def faster_than(self, other: Timing) -> Spread:
        """How many times faster than another peer of the same run."""
        return ratio(other.rounds, self.rounds)


@dataclass
class Comparison:
    """All peers on one case with one number of threads."""

    case: Case
    threads: int
    facts: dict[str, Any]
    timings: list[Timing]
    failures: dict[str, str]
    peaks: dict[str, float]
    """GFLOP/s of one core by vector unit, the best of all rounds."""
    load: float
    """Load average of the machine when the run began."""
    handovers: tuple[float, ...] = ()
    """Seconds of a cache line from one processor to another in each round, with several threads."""

    def find(self, key: str) -> Timing | None:
        """Return what was measured of a peer, or None."""
        return next((t for t in self.timings if t.peer.key == key), None)

    @property
    def fastest_dense(self) -> Timing | None:
        """The dense peer with the smallest median."""
        dense = [t for t in self.timings if t.peer.kind == "dense"]
        return min(dense, key=lambda t: t.seconds.median, default=None)

    @property
    def warnings(self) -> list[str]:
        """What a reader should know before trusting the numbers."""
        found = []
        if self.load > 0.5:
            found.append(f"the load average was {self.load:.1f} when the run began")
        far = [seconds for seconds in self.handovers if seconds > FAR]
        if far:
            found.append(
                f"in {len(far)} of {len(self.handovers)} rounds the processors shared no cache: a "
                f"cache line took {1e9 * statistics.median(far):.0f} ns from one to the other"
            )
        for timing in self.timings:
            used = statistics.median(timing.processors)
            if used > self.threads + 0.1:
                found.append(f"{timing.peer.name} used {used:.1f} processors")
            elif self.threads == 1 and used < 0.95:
                found.append(f"{timing.peer.name} had only {used:.2f} of a processor")
            if (faults := statistics.median(timing.faults)) > MANY_FAULTS:
                found.append(f"{timing.peer.name} takes {faults:.0f} page faults a call")
        return found


def compare(
    case: Case,
    peers: Sequence[Peer],
    threads: int,
    *,
    rounds: int,
    seconds: float,
    units: Sequence[Unit] = (),
    real_time: bool = False,
) -> Comparison:
    """Measure peers on a case.

    Args:
        rounds: turns of each peer.
        seconds: length of a turn; at least two calls are timed in each.
        units: vector units whose peak is measured once in each round.
        real_time: keep other programs of this machine away from the peers while they are timed.

    A peer that fails or is wrong is left out, and `failures` says why.
    """
    load = os.getloadavg()[0]
    facts = prepare(case)
    failures: dict[str, str] = {}
    timings: list[Timing] = []
    workers: dict[str, Worker] = {}
    try:
        for peer in peers:
            print(f"  {case}, {threads} thread(s): {peer.name}", file=sys.stderr)
            try:
                timings.append(prepare_peer(case, peer, threads, workers))
            except (WorkerError, RuntimeError) as error:
                leave_out(peer, error, workers, failures)
        if real_time:
            for worker in workers.values():
                worker.use_real_time()
        peaks: dict[str, list[float]] = {unit.name: [] for unit in units}
        handovers: list[float] = []
        for number in range(rounds):
            with privilege(real_time):
                for unit in units:
                    peaks[unit.name].append(unit.gflops())
                handover = units[0].handover() if threads > 1 else None
            if handover is not None:
                handovers.append(handover)
            take_turns(number, timings, workers, failures, seconds)
        for timing in timings:
            timing.memory = workers[timing.peer.key].ask("memory")
    finally:
        for worker in workers.values():
            worker.close()
    return Comparison(
        case=case,
        threads=threads,
        facts=facts,
        timings=timings,
        failures=failures,
        peaks={name: max(values) for name, values in peaks.items()},
        load=load,
        handovers=tuple(handovers),
    )


def take_turns(
    number: int,
    timings: list[Timing],
    workers: dict[str, Worker],
    failures: dict[str, str],
    seconds: float,
    after: Callable[[Timing], None] = lambda timing: None,
) -> None:
    """Run round `number`; a peer that fails is left out of `timings` from then on.

    Args:
        after: is called behind the turn of each peer that did not fail.
    """
    # Each round begins with another peer, so that nobody always follows the same one.
    start = number % max(len(timings), 1)
    for timing in timings[start:] + timings[:start]:
        try:
            answer = workers[timing.peer.key].ask("run", seconds=seconds, least=2, warm=WARM)
        except WorkerError as error:
            leave_out(timing.peer, error, workers, failures)
            timings.remove(timing)
            continue
        timing.rounds.append(answer["times"])
        timing.processors.append(answer["processors"])
        timing.faults.append(answer["faults"])
        after(timing)


def leave_out(
    peer: Peer, error: Exception, workers: dict[str, Worker], failures: dict[str, str]
) -> None:
    """Note why a peer is not measured, and end its process."""
    failures[peer.name] = str(error)
    if worker := workers.pop(peer.key, None):
        worker.close()


def prepare_peer(
    case: HasFolder,
    peer: Peer,
    threads: int,
    workers: dict[str, Worker],
    exporter: str = "export.py",
) -> Timing:
    """Convert, load and check a peer; its worker is in `workers` afterwards."""
    timing = Timing(peer)
    product, timing.preparation = convert_for(case, peer, threads, exporter)
    worker = workers[peer.key] = Worker(peer, threads, _log(peer, "run"))
    answer = worker.ask(
        "load",
        case=str(case.folder),
        product=str(product),
        threads=threads,
        options=dict(peer.options),
    )
    timing.loading = answer["seconds"]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "output.npy"
        worker.ask("check", path=str(path))
        timing.error = difference(np.load(path), np.load(case.folder / "expected.npy"))
    if not timing.error <= TOLERANCE:
        raise WorkerError(
            f"{peer.name}: the output differs from PyTorch's by {timing.error:.1e} of its largest "
            f"value (accepted: {TOLERANCE:.0e})"
        )
    return timing


def convert_for(
    case: HasFolder, peer: Peer, threads: int, exporter: str = "export.py"
) -> tuple[Path, float | None]:
    """Make what a peer loads of a prepared case, unless it is there already.

    Args:
        exporter: the worker that makes the formats of other runtimes.

    Returns:
        The folder of it, and the seconds of the peer's own converter if it ran.
    """
    if peer.format:
        source = Peer(peer.format, exporter, "export", "", options={"format": peer.format})
        _convert(case.folder, source, threads, case.folder / peer.format)
    product = case.folder / f"{peer.key}-{threads}"
    seconds = None
    if peer.converts:
        again = peer.converts == "always"
        seconds = _convert(case.folder, peer, threads, product, again=again)
    product.mkdir(exist_ok=True)
    return product, seconds


def _convert(
    folder: Path, peer: Peer, threads: int, product: Path, again: bool = False
) -> float | None:
    """Run a peer's converter unless its result is there; return its seconds."""
    stamp = product / "converted.txt"
    wanted = "\n".join(REQUIREMENTS.get(peer.environment, ()))
    if not again and stamp.exists() and stamp.read_text() == wanted:
        return None
    shutil.rmtree(product, ignore_errors=True)
    product.mkdir(parents=True)
    worker = Worker(peer, threads, _log(peer, "convert"))
    try:
        answer = worker.ask(
            "convert",
            timeout=3600,
            case=str(folder),
            product=str(product),
            threads=threads,
            options=dict(peer.options),
        )
    finally:
        worker.close()
    if peer.environment != HERE:
        stamp.write_text(wanted)
    return float((answer["result"] or answer)["seconds"])


def difference(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference over the largest expected magnitude; NaN if there is one."""
    if actual.shape != expected.shape:
        return float("inf")
    expected = expected.astype(np.float64)
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def _log(peer: Peer, what: str) -> Path:
    return CACHE / "logs" / f"{peer.key}-{what}-{time.strftime('%Y%m%d-%H%M%S')}.txt"
