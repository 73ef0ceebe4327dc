"""Is `sparsity="auto"` ever slower than our own dense code? Every layer, at rates from 1 to 32."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any

import bcr
import bcr.models
from bcr.tables import NUMBER, TEXT, render, time_text
from bench.case import Case, make_model
from bench.realtime import real_time

RATES = (1, 1.25, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)

NOISE = 0.05
"""How much slower a layer may look before it counts: two runs of one program differ that much."""

STAMP = 5e-7
"""Seconds that two time stamps may be off: shorter differences say nothing."""


@dataclass(frozen=True)
class Point:
    """One layer of a network at one rate; times are medians in seconds."""

    network: str
    asked: float
    layer: str
    verdict: str
    auto: float
    dense: float

    @property
    def slower(self) -> bool:
        """Beyond the noise. A layer that is not sparse is the same code in both compilations."""
        return self.verdict == "picked" and self.auto > self.dense * (1 + NOISE) + STAMP


def measure(case: Case, *, threads: int, rounds: int, priority: bool) -> list[Point]:
    """Profile a network compiled with "auto" and with "off", in turn, layer by layer."""
    model = make_model(case)
    x = bcr.models.inputs(case.network, seed=case.seed)
    calls = {
        sparsity: bcr.compile(model, x, sparsity=sparsity, num_threads=threads)
        for sparsity in ("auto", "off")
    }
    times: dict[str, dict[str, list[float]]] = {kind: {} for kind in calls}
    with real_time(priority):
        for _ in range(rounds):
            for kind, exe in calls.items():
                for layer in exe.profile(*x, repeats=3).layers:
                    times[kind].setdefault(layer.name, []).append(layer.seconds)
    verdicts = {layer.name: layer.verdict for layer in calls["auto"].report().layers}
    return [
        Point(
            network=case.network,
            asked=case.rate,
            layer=name,
            verdict=verdicts[name],
            auto=statistics.median(seconds),
            dense=statistics.median(times["off"][name]),
        )
        for name, seconds in times["auto"].items()
        if name in times["off"]
    ]


def table(points: list[Point]) -> str:
    """One row per network and rate; below it each layer that is slower than dense."""
    columns = [
        ("network", TEXT), ("rate", NUMBER), ("layers", NUMBER), ("sparse", NUMBER),
        ("auto", NUMBER), ("dense", NUMBER), ("faster", NUMBER), ("slowest sparse layer", NUMBER),
        ("slower layers", NUMBER),
    ]  # fmt: skip
    groups: dict[tuple[str, float], list[Point]] = {}
    for point in points:
        groups.setdefault((point.network, point.asked), []).append(point)
    rows = []
    for (network, rate), members in groups.items():
        sparse = [p.dense / p.auto for p in members if p.verdict == "picked"]
        auto, dense = sum(p.auto for p in members), sum(p.dense for p in members)
        rows.append(
            (
                network,
                f"{rate:g}x",
                str(len(members)),
                str(len(sparse)),
                time_text(auto),
                time_text(dense),
                f"{dense / auto:.2f}x",
                f"{min(sparse):.2f}x" if sparse else "-",
                str(sum(p.slower for p in members)),
            )
        )
    lines = [
        f"slower: {p.network} {p.asked:g}x {p.layer} ({p.verdict}): {time_text(p.auto)} against "
        f"{time_text(p.dense)} dense"
        for p in points
        if p.slower
    ]
    return render(
        "sparsity=auto against our dense code, all layers", columns, rows, "\n".join(lines)
    )


def to_dict(point: Point) -> dict[str, Any]:
    """Return plain values."""
    return asdict(point)
