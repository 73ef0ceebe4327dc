"""The layers inside a compiled network, where inputs are laid out and epilogues fused for real."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import bcr
import bcr.models
from bcr.tables import NUMBER, TEXT, render, time_text
from bench.case import Case, make_model
from bench.machine import Unit
from bench.realtime import real_time


@dataclass(frozen=True)
class Row:
    """A layer: median seconds, share of the call, GFLOP/s (None where the batch is dynamic)."""

    name: str
    shape: tuple[int, int]
    kernel: str
    verdict: str
    rate: float
    seconds: float
    share: float
    stored_gflops: float | None
    dense_gflops: float | None


@dataclass(frozen=True)
class NetworkProfile:
    """All layers of a network; `other` is what no layer accounts for. Times in seconds."""

    case: Case
    sparsity: str
    threads: int
    rows: tuple[Row, ...]
    other: float
    total: float
    peak: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def measure(
    case: Case, sparsity: str, *, threads: int, unit: Unit, priority: bool
) -> NetworkProfile:
    """Compile a network and profile it."""
    model = make_model(case)
    x = bcr.models.inputs(case.network, seed=case.seed)
    exe = bcr.compile(model, x, sparsity=sparsity, num_threads=threads)
    with real_time(priority):
        peak = unit.gflops()
        profile = exe.profile(*x, repeats=15)
        peak = max(peak, unit.gflops())
    reports = {layer.name: layer for layer in exe.report().layers}
    rows = tuple(
        Row(
            name=layer.name,
            shape=reports[layer.name].shape,
            kernel=reports[layer.name].kernel,
            verdict=reports[layer.name].verdict,
            rate=reports[layer.name].rate,
            seconds=layer.seconds,
            share=layer.share,
            stored_gflops=layer.stored_gflops,
            dense_gflops=layer.dense_gflops,
        )
        for layer in profile.layers
    )
    return NetworkProfile(case, sparsity, threads, rows, profile.other, profile.total, peak)


def table(profile: NetworkProfile, unit: Unit) -> str:
    """One row per layer."""
    columns = [
        ("layer", TEXT), ("M x K", NUMBER), ("verdict", TEXT), ("rate", NUMBER), ("time", NUMBER),
        ("share", NUMBER), ("GFLOP/s stored", NUMBER), ("of peak", NUMBER),
        ("GFLOP/s dense-equiv.", NUMBER), ("kernel", TEXT),
    ]  # fmt: skip
    peak = profile.peak * profile.threads
    rows = [
        (
            row.name,
            "x".join(map(str, row.shape)),
            row.verdict,
            f"{row.rate:.1f}x",
            time_text(row.seconds),
            f"{row.share:.1%}",
            "-" if row.stored_gflops is None else f"{row.stored_gflops:.0f}",
            "-" if row.stored_gflops is None else f"{row.stored_gflops / peak:.0%}",
            "-" if row.dense_gflops is None else f"{row.dense_gflops:.0f}",
            row.kernel,
        )
        for row in profile.rows
    ]
    share = profile.other / profile.total
    rows.append(("(everything else)", "", "", "", time_text(profile.other), f"{share:.1%}",
                 "", "", "", ""))  # fmt: skip
    title = f"{profile.case}, sparsity={profile.sparsity}, {profile.threads} thread(s)"
    footer = f"one call: {time_text(profile.total)}; peak: {unit.name} {peak:.0f} GFLOP/s"
    return render(title, columns, rows, footer)
