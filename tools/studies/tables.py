"""The tables of a study, and its bars."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from bcr.tables import NUMBER, TEXT, render, time_text
from studies.points import FILTERS, UNSTRUCTURED
from studies.results import Summary, find
from studies.study import Network


def accuracy_table(network: Network, summaries: Sequence[Summary]) -> str:
    """Return accuracy by curve and rate: mean and standard deviation over the seeds."""
    rates = sorted({s.point.rate for s in summaries if s.point.scheme})
    dense = next((s for s in summaries if not s.point.scheme), None)
    rows = []
    for curve in dict.fromkeys(s.point.curve for s in summaries if s.point.scheme):
        found = [find(summaries, curve, rate) for rate in rates]
        rows.append((curve, *map(_accuracy, found)))
    seeds = max((len(s.accuracies) for s in summaries), default=0)
    footer = f"% of held-out examples, mean and standard deviation of {seeds} trainings"
    if dense:
        footer += f"; dense, trained as long: {_accuracy(dense)}"
    columns = [("pruned by", TEXT), *((f"{rate:g}x", NUMBER) for rate in rates)]
    return render(f"{network.name}: accuracy", columns, rows, footer)


def latency_table(network: Network, summaries: Sequence[Summary], unit: str) -> str:
    """Return the latency of one call by curve and rate, and how much faster than dense it is."""
    rates = sorted({s.point.rate for s in summaries if s.point.scheme})
    dense = next((s.seconds for s in summaries if not s.point.scheme), None)

    def cell(summary: Summary | None) -> str:
        if summary is None or summary.seconds is None or dense is None:
            return ""
        return f"{time_text(summary.seconds)} {dense / summary.seconds:.1f}x"

    rows = [
        (curve, *(cell(find(summaries, curve, rate)) for rate in rates))
        for curve in dict.fromkeys(s.point.curve for s in summaries if s.point.scheme)
    ]
    footer = f"one {unit}, one thread, compiled by bcr; dense: {time_text(dense)}" if dense else ""
    columns = [("pruned by", TEXT), *((f"{rate:g}x", NUMBER) for rate in rates)]
    return render(f"{network.name}: latency", columns, rows, footer)


def bars_table(network: Network, summaries: Sequence[Summary], goal: tuple[float, float]) -> str:
    """Return by rate what BCR loses against dense and unstructured, and wins on filters.

    At each rate the block is taken that is best on the validation examples, and the better of the
    ways to rank filters. Differences are over the seeds that both points have.

    Args:
        network: of the summaries.
        summaries: see `results.summarise`.
        goal: a rate, and how many points BCR may lose there against dense.
    """
    dense = next((s for s in summaries if not s.point.scheme), None)
    rows = []
    last = 0.0  # margin over filters at the rate before
    for rate in sorted({s.point.rate for s in summaries if s.point.scheme}):
        blocks = [s for s in summaries if s.point.rate == rate and s.point.block is not None]
        if not blocks or dense is None:
            continue
        # Not by the accuracy that is reported: of several blocks one is always lucky.
        best = _best(blocks)
        lost = -100 * best.above(dense)
        cells = [f"{rate:g}x", best.point.curve, f"{-lost:+.2f}"]
        for curves in ((UNSTRUCTURED,), FILTERS):
            others = [s for curve in curves if (s := find(summaries, curve, rate))]
            if not others:
                cells += ["", ""]
                continue
            margin = 100 * best.above(_best(others))
            reached = margin > (-1.0 if curves != FILTERS else last)
            cells += [f"{margin:+.2f}", _verdict(reached) if rate >= 4 else ""]
            if curves == FILTERS and rate >= 4:
                last = margin
        cells.append(_verdict(lost <= goal[1]) if rate == goal[0] else "")
        rows.append(cells)
    columns = [
        ("rate", NUMBER), ("BCR by validation", TEXT), ("against dense", NUMBER),
        (UNSTRUCTURED, NUMBER), (">= -1", TEXT), ("filter", NUMBER), ("> 0, grows", TEXT),
        (f"{goal[0]:g}x: dense >= -{goal[1]:g}", TEXT),
    ]  # fmt: skip
    title = f"{network.name}: points of accuracy that BCR wins or loses"
    return render(title, columns, rows)


def _best(summaries: Sequence[Summary]) -> Summary:
    return max(summaries, key=lambda s: statistics.fmean(s.validation))


def _accuracy(summary: Summary | None) -> str:
    return f"{100 * summary.mean:.2f} ±{100 * summary.spread:.2f}" if summary else ""


def _verdict(reached: bool) -> str:
    return "yes" if reached else "NO"
