"""Tables of the recurrent benchmark, and where the time of one frame goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bcr.tables import NUMBER, TEXT, bytes_text, render
from bench.realtime import real_time as privilege
from bench.recurrent import FEATURES, LAYERS, UNITS, RecurrentCase, Result, product

CALLS = 200


def rates_table(result: Result) -> str:
    """One row per rate: ours, CSR, and the fastest dense peer."""
    single = result.frames == 1
    columns = [
        ("rate", NUMBER), ("reached", NUMBER), ("packed", NUMBER), ("us a frame", NUMBER),
        ("faster", NUMBER), ("of the rate", NUMBER), ("CSR, us", NUMBER),
    ]  # fmt: skip
    if single:
        columns += [("GB/s", NUMBER), ("readable", NUMBER), ("share", NUMBER)]
    rows = []
    for point in result.points:
        ratio = point.ours.faster_than(result.fastest).median
        row = [
            f"{point.rate}x",
            f"{point.reached:.1f}x",
            bytes_text(point.bytes),
            _microseconds(point.ours.seconds.median, result.frames),
            f"{ratio:.1f}x",
            f"{ratio / point.reached:.2f}",
            _microseconds(point.csr.seconds.median, result.frames) if point.csr else "",
        ]
        if single:
            readable = statistics.median(point.bandwidths)
            row += [f"{point.gigabytes:.0f}", f"{readable:.0f}", f"{point.share:.0%}"]
        rows.append(row)
    fastest = result.fastest
    footer = (
        f"faster: than {fastest.peer.name}, the fastest dense peer of this run, "
        f"{_microseconds(fastest.seconds.median, result.frames)} us a frame"
    )
    if single:
        footer += "; readable: GB/s of a loop that only reads as many bytes"
    title = f"GRU 2x1024, 39 features, one thread, {result.frames} frame(s) a call"
    return render(title, columns, rows, footer)


def peers_table(result: Result) -> str:
    """One row per dense peer."""
    columns = [("peer", TEXT), ("us a frame", NUMBER), ("difference", NUMBER), ("", TEXT)]
    rows = [
        (
            timing.peer.name,
            _microseconds(timing.seconds.median, result.frames),
            f"{timing.error:.0e}",
            "",
        )
        for timing in sorted(result.dense, key=lambda timing: timing.seconds.median)
    ]
    rows += [(name, "", "", why) for name, why in result.failures.items()]
    return render(f"Dense, {result.frames} frame(s) a call", columns, rows)


def _microseconds(seconds: float, frames: int) -> str:
    return f"{1e6 * seconds / frames:.1f}"


@dataclass(frozen=True)
class Account:
    """Where the seconds of one frame go.

    Attributes:
        total: a call of `Stream`.
        code: of it, in the compiled code.
        cells: of that, what the network takes without weights: equations of the cells, biases,
            states.
        memory: the packed bytes at the bandwidth with which so many can be read.
    """

    rate: int
    total: float
    code: float
    cells: float
    memory: float


def account(result: Result, scheme: str = "steps", real_time: bool = False) -> list[Account]:
    """Take a frame apart at the rates of a result, by the bandwidths that it has."""
    bare = _without_weights()
    found = []
    for point in result.points:
        case = RecurrentCase(point.rate, 1, scheme if point.rate > 1 else "steps")
        with privilege(real_time):
            total, code = _time(product(case))
            cells = _time(bare)[1]
        memory = point.bytes / (1e9 * statistics.median(point.bandwidths))
        found.append(Account(point.rate, total, code, cells, memory))
    return found


def accounts_table(accounts: Sequence[Account]) -> str:
    """One row per rate, in microseconds."""
    columns = [
        ("rate", NUMBER), ("us a frame", NUMBER), ("Python", NUMBER), ("cells and states", NUMBER),
        ("reading weights", NUMBER), ("rest", NUMBER),
    ]  # fmt: skip
    rows = [
        [f"{a.rate}x"]
        + [
            f"{1e6 * part:.1f}"
            for part in (a.total, a.total - a.code, a.cells, a.memory, a.code - a.cells - a.memory)
        ]
        for a in accounts
    ]
    footer = (
        "cells and states: the same network without weights; reading weights: the packed bytes at "
        "the\nspeed of a loop that only reads; rest: starting groups, adding their rows, and what "
        "does not overlap"
    )
    return render("Where the time of a frame goes, one thread", columns, rows, footer)


def _without_weights() -> Path:
    """Compile the network with zeros for weights."""
    import torch
    from torch import nn

    import bcr

    path = RecurrentCase(1, 1).folder / "without-weights.bcr"
    model = nn.GRU(FEATURES, UNITS, LAYERS).eval()
    for weight in model.parameters():
        if weight.dim() == 2:
            weight.detach().zero_()
    inputs = torch.zeros(1, 1, FEATURES), torch.zeros(LAYERS, 1, UNITS)
    bcr.compile(model, inputs, num_threads=1, sparsity="force").save(path)
    return path


def _time(path: Path) -> tuple[float, float]:
    """Seconds of a call of a stream, and of the compiled code in it."""
    import bcr

    exe = bcr.load(path)
    x = np.load(RecurrentCase(1, 1).folder / "frames.npy")[0]
    stream = exe.stream({1: 1}, reuse=True)
    totals = []
    for _ in range(9):
        begin = time.perf_counter()
        for _ in range(CALLS):
            stream(x)
        totals.append((time.perf_counter() - begin) / CALLS)
    profile = exe.profile(x, np.zeros((LAYERS, 1, UNITS), np.float32), repeats=CALLS)
    return statistics.median(totals), sum(layer.seconds for layer in profile.layers)
