"""Results as text."""

from __future__ import annotations

from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text
from bench.measure import Comparison, Timing


def peers_table(comparison: Comparison) -> str:
    """One row per peer, the fastest first."""
    dense = comparison.fastest_dense
    facts = comparison.facts
    columns = [
        ("", TEXT), ("kind", TEXT), ("median", NUMBER), ("quartiles", NUMBER),
        ("faster than best dense", NUMBER), ("quartiles", NUMBER), ("GFLOP/s dense-equiv.", NUMBER),
        ("error", NUMBER), ("peak memory", NUMBER), ("convert", NUMBER), ("load", NUMBER),
        ("calls", NUMBER), ("CPUs", NUMBER),
    ]  # fmt: skip
    rows = [
        _row(timing, dense, facts["dense_flops"])
        for timing in sorted(comparison.timings, key=lambda t: t.seconds.median)
    ]
    footer = [f"{name} failed: {why.splitlines()[0]}" for name, why in comparison.failures.items()]
    footer += [f"warning: {warning}" for warning in comparison.warnings]
    peaks = ", ".join(f"{name} {value:.0f}" for name, value in comparison.peaks.items())
    title = (
        f"{comparison.case}, {comparison.threads} thread(s), f32, batch 1: "
        f"{facts['dense_flops'] / 1e9:.2f} GFLOP dense, {facts['stored_flops'] / 1e9:.2f} stored; "
        f"peak of one core in this run, GFLOP/s: {peaks}"
    )
    return render(title, columns, rows, "\n".join(footer))


def _row(timing: Timing, dense: Timing | None, flops: int) -> tuple[str, ...]:
    seconds = timing.seconds
    times = timing.faster_than(dense) if dense else None
    return (
        timing.peer.name,
        timing.peer.kind,
        time_text(seconds.median),
        f"{time_text(seconds.low)} - {time_text(seconds.high)}",
        f"{times.median:.2f}x" if times else "-",
        f"{times.low:.2f} - {times.high:.2f}" if times else "-",
        f"{flops / seconds.median / 1e9:.0f}",
        f"{timing.error:.0e}",
        bytes_text(timing.memory["peak"]),
        "-" if timing.preparation is None else time_text(timing.preparation),
        time_text(timing.loading),
        str(sum(map(len, timing.rounds))),
        f"{sum(timing.processors) / len(timing.processors):.2f}",
    )
