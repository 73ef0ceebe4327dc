"""A GRU of 2x1024 units on speech frames, at the rates of RTMobile (DAC 2020).

Frames of 39 features go in one by one, or 100 at a time, and the state stays: as in an application.
The weights are random and pruned in RTMobile's two steps: columns inside blocks, the same for all
rows of a block, then whole rows. Dense peers get the weights before pruning, whose number of zeros
is nothing to them, PyTorch's CSR and ours those of each rate. All are processes of their own that
take turns; what each says to all frames is compared with PyTorch before it is timed.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import CACHE
from bench.environments import HERE
from bench.machine import Unit
from bench.measure import Timing, convert_for, leave_out, prepare_peer, take_turns
from bench.peers import Peer
from bench.realtime import real_time as privilege
from bench.worker import Worker, WorkerError

if TYPE_CHECKING:
    import torch
    from torch import nn

    import bcr

FEATURES, UNITS, LAYERS = 39, 1024, 2
EXPORTER = "frames/export_gru.py"
PIECES = 8
"""Calls that the comparison with PyTorch covers; the state goes from each to the next."""

LAYOUT = 1
"""Counts changes of the files of a case, so that old ones are made again."""

STEPS = {
    1: (1.0, 0),
    10: (1.25, 64),
    19: (1.25, 64),
    29: (2.0, 64),
    43: (5.0, 96),
    80: (5.0, 96),
    103: (8.0, 128),
    153: (8.0, 128),
    245: (12.0, 192),
    301: (15.0, 256),
}
"""Rate asked: rate of the rows, rows of a block."""

DENSE = (
    Peer("MNN", "frames/mnn_gru.py", "mnn", "dense", "onnx", "once"),
    Peer("LiteRT", "frames/litert_gru.py", "litert", "dense", "tflite"),
    Peer("ONNX Runtime", "frames/onnx_gru.py", "onnxruntime", "dense", "onnx"),
    Peer("OpenVINO", "frames/open_vino_gru.py", "openvino", "dense", "onnx"),
    Peer("ncnn", "frames/ncnn_gru.py", "ncnn", "dense", "ncnn"),
    Peer("PyTorch", "frames/torch_gru.py", HERE, "dense"),
)


@dataclass(frozen=True)
class RecurrentCase:
    """The network at a rate, and how many frames a call has."""

    rate: int
    frames: int
    scheme: str = "steps"

    def __str__(self) -> str:
        return f"GRU 2x1024 {self.rate}x, {self.frames} frame(s)"

    @property
    def folder(self) -> Path:
        """Where its files are, once `prepare` has made them."""
        facts = json.dumps([LAYOUT, PIECES, FEATURES, UNITS, LAYERS, STEPS[self.rate]])
        digest = hashlib.sha256(facts.encode()).hexdigest()[:10]
        name = f"gru-{self.rate}x-{self.frames}" + f"-{self.scheme}" * (self.scheme != "steps")
        return CACHE / "cases" / f"{name}-{digest}"


@dataclass
class Point:
    """What was measured at a rate.

    Attributes:
        rate, reached: asked, and what the two steps kept.
        bytes: packed values and indices.
        ours: the compiled network.
        csr: PyTorch with weights in CSR; None at 1x, or if it failed.
        bandwidths: GB/s of reading as many bytes again and again, by round, right after ours.
    """

    rate: int
    reached: float
    bytes: int
    ours: Timing
    csr: Timing | None
    bandwidths: list[float] = field(default_factory=list)

    @property
    def gigabytes(self) -> float:
        """Packed bytes of a frame over its time, in GB/s."""
        return 1e-9 * self.bytes / self.ours.seconds.median

    @property
    def share(self) -> float:
        """Of the bandwidth with which these bytes can be read at most: the median over the rounds
        of what both were in the same round.
        """
        return statistics.median(
            1e-9 * self.bytes / statistics.median(times) / bandwidth
            for times, bandwidth in zip(self.ours.rounds, self.bandwidths, strict=True)
        )


@dataclass
class Result:
    """All rates and all peers, for calls of `frames` frames."""

    frames: int
    points: list[Point]
    dense: list[Timing]
    failures: dict[str, str]
    load: float

    @property
    def fastest(self) -> Timing:
        """The dense peer with the smallest median.

        Raises:
            SystemExit: every dense peer failed.
        """
        if not self.dense:
            raise SystemExit("no dense runtime could be measured; their reasons are above")
        return min(self.dense, key=lambda timing: timing.seconds.median)


def make_model(rate: int, scheme: str = "steps") -> nn.GRU:
    """Return the network, pruned in two steps or by a scheme of `bcr.Pruner` in blocks of 8x64."""
    import torch
    from torch import nn

    import bcr

    torch.manual_seed(0)
    model = nn.GRU(FEATURES, UNITS, LAYERS).eval()
    if rate > 1 and scheme != "steps":
        config = bcr.PruneConfig(
            rate=rate,
            block=(8, 64),
            scheme=scheme,  # type: ignore[arg-type]
            oversize="clip",
        )
        bcr.Pruner(model, config).finalize()
        return model
    row_rate, height = STEPS[rate]
    for weight in model.parameters():
        if rate > 1 and weight.dim() == 2:
            prune(weight, rate, row_rate, height)
    return model


def prune(weight: torch.Tensor, rate: float, row_rate: float, height: int) -> None:
    """Prune a matrix in two steps to about `rate`."""
    import torch

    rng = np.random.default_rng(weight.numel())
    width = 64 if weight.shape[1] > 64 else weight.shape[1]

    def dropped(count: int, by: float) -> torch.Tensor:
        drop = np.ones(count, bool)
        drop[rng.choice(count, max(1, round(count / by)), replace=False)] = False
        return torch.from_numpy(drop)

    for rows in weight.detach().split(height):
        for block in rows.split(width, dim=1):
            block[:, dropped(block.shape[1], rate / row_rate)] = 0
        rows[dropped(rows.shape[0], row_rate)] = 0


def prepare(case: RecurrentCase) -> dict[str, Any]:
    """Make the files of a case unless they are there, and return its facts.

    The files: `gru.pt` (a pickled `nn.GRU`), `frames.npy` (pieces x frames x 1 x features),
    `expected.npy` (what eager PyTorch makes of them) and `facts.json`: `reached`, weights over
    kept weights.
    """
    folder = case.folder
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            unfinished = Path(scratch) / "case"
            unfinished.mkdir()
            _write(case, unfinished)
            os.rename(unfinished, folder)
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return facts


def _write(case: RecurrentCase, folder: Path) -> None:
    import torch

    model = make_model(case.rate, case.scheme)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    kept = sum(int(p.count_nonzero()) for p in matrices)
    generator = torch.Generator().manual_seed(case.frames)
    pieces = torch.randn(PIECES, case.frames, 1, FEATURES, generator=generator)
    state, results = torch.zeros(LAYERS, 1, UNITS), []
    with torch.no_grad():
        for piece in pieces:
            y, state = model(piece, state)
            results.append(y)
    np.save(folder / "frames.npy", pieces.numpy())
    np.save(folder / "expected.npy", torch.stack(results).numpy())
    torch.save(model, folder / "gru.pt")
    facts = {"reached": sum(p.numel() for p in matrices) / kept}
    (folder / "facts.json").write_text(json.dumps(facts))


def _case(rate: int, frames: int, scheme: str) -> RecurrentCase:
    return RecurrentCase(rate, frames, scheme if rate > 1 else "steps")


def _ours(rate: int, compiled: bool = False) -> Peer:
    converts = None if compiled else "always"
    return Peer(f"bcr {rate}x", "frames/bcr_stream.py", HERE, "ours", converts=converts)


def _csr(rate: int) -> Peer:
    return Peer(f"CSR {rate}x", "frames/torch_gru.py", HERE, "sparse", options={"csr": True})


def convert(
    frames: int,
    rates: Sequence[int],
    peers: Sequence[Peer],
    scheme: str = "steps",
    again: bool = True,
) -> None:
    """Convert and compile everything, so that `measure` only loads.

    Args:
        again: compile ours where it was compiled before.
    """
    prepare(RecurrentCase(1, frames))
    for peer in peers:
        try:
            convert_for(RecurrentCase(1, frames), peer, 1, EXPORTER)
        except (WorkerError, RuntimeError) as error:
            print(f"  {error}", file=sys.stderr)
    for rate in rates:
        case = _case(rate, frames, scheme)
        prepare(case)
        if again or not product(case).exists():
            convert_for(case, _ours(rate), 1)
            print(f"  {case}: compiled", file=sys.stderr, flush=True)


def packed_bytes(case: RecurrentCase) -> int:
    """Bytes of the packed values and indices of a compiled case."""
    import bcr

    return packed_bytes_of(bcr.load(product(case)))


def packed_bytes_of(executable: bcr.Executable) -> int:
    """Bytes of the packed values and indices of a compiled model."""
    return sum(layer.value_bytes + layer.index_bytes for layer in executable.report().layers)


def product(case: RecurrentCase) -> Path:
    """The compiled file of a case."""
    return case.folder / f"{_ours(case.rate).key}-1" / "model.bcr"


def measure(
    frames: int,
    rates: Sequence[int],
    peers: Sequence[Peer],
    *,
    rounds: int,
    seconds: float,
    unit: Unit,
    scheme: str = "steps",
    real_time: bool = False,
) -> Result:
    """Measure everything that was converted, in one run with one thread, on one processor.

    Args:
        rounds: turns of each peer.
        seconds: length of a turn; at least two calls are timed in each.
        unit: reads as many bytes as the packed weights have, after each turn of ours.
        real_time: keep other programs of this machine away from the peers while they are timed.

    A peer that fails or is wrong is left out, and `failures` says why.
    """
    failures: dict[str, str] = {}
    workers: dict[str, Worker] = {}
    timings: list[Timing] = []
    points: list[Point] = []

    def begin(case: RecurrentCase, peer: Peer) -> Timing | None:
        try:
            timing = prepare_peer(case, peer, 1, workers, EXPORTER)
        except (WorkerError, RuntimeError) as error:
            leave_out(peer, error, workers, failures)
            return None
        timings.append(timing)
        return timing

    def read_bytes(timing: Timing) -> None:
        for point in points:
            if point.ours is timing:
                with privilege(real_time):
                    point.bandwidths.append(unit.gigabytes(point.bytes, seconds / 4))

    load = os.getloadavg()[0]
    usable = os.sched_getaffinity(0)
    try:
        # Two processors of a shared machine have neighbours of their own.
        os.sched_setaffinity(0, {max(usable)})
        dense = [begin(RecurrentCase(1, frames), peer) for peer in peers]
        for rate in rates:
            case = _case(rate, frames, scheme)
            csr = begin(case, _csr(rate)) if rate > 1 else None
            if ours := begin(case, _ours(rate, compiled=True)):
                reached = prepare(case)["reached"]
                points.append(Point(rate, reached, packed_bytes(case), ours, csr))
        if real_time:
            for worker in workers.values():
                worker.use_real_time()
        for number in range(rounds):
            take_turns(number, timings, workers, failures, seconds, read_bytes)
    finally:
        os.sched_setaffinity(0, usable)
        for worker in workers.values():
            worker.close()
    points = [point for point in points if point.ours.peer.name not in failures]
    for point in points:
        if point.csr and point.csr.peer.name in failures:
            point.csr = None
    found = [timing for timing in dense if timing and timing.peer.name not in failures]
    return Result(frames, points, found, failures, load)


def to_dict(result: Result) -> dict[str, Any]:
    """Return plain values; times are in seconds."""

    def timing(found: Timing) -> dict[str, Any]:
        return {
            "name": found.peer.name,
            "seconds": vars(found.seconds),
            "error": found.error,
            "rounds": found.rounds,
        }

    return {
        "frames": result.frames,
        "load": result.load,
        "failures": result.failures,
        "dense": [timing(found) for found in result.dense],
        "fastest_dense": result.fastest.peer.name,
        "rates": [
            {
                "rate": point.rate,
                "reached": point.reached,
                "bytes": point.bytes,
                "bandwidths": point.bandwidths,
                "share": point.share,
                "bcr": timing(point.ours),
                "csr": timing(point.csr) if point.csr else None,
                "faster_than_fastest_dense": vars(point.ours.faster_than(result.fastest)),
            }
            for point in result.points
        ],
    }
