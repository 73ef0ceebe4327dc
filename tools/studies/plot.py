"""The picture of a study: accuracy against rate, and against measured latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot, ticker

from studies.points import FILTERS
from studies.results import Summary

_STYLES = {
    "unstructured": "k--", "filter": "r-", "filter, by layer": "r:", "N:M": "m-.", "pattern": "c-.",
}  # fmt: skip
_BLOCKS = ("#1b7837", "#5aae61", "#a6dba0")


def draw(title: str, networks: Mapping[str, Sequence[Summary]], unit: str, path: Path) -> Path:
    """Draw a row of two pictures for each network.

    Args:
        title: above all.
        networks: by name, see `results.summarise`.
        unit: what a call of a network takes.
        path: the PNG to write.
    """
    figure, axes = pyplot.subplots(
        len(networks), 2, figsize=(9, 3.4 * len(networks)), squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    for (left, right), (name, summaries) in zip(axes, networks.items()):
        _draw_network(left, right, summaries)
        left.set(xscale="log", xlabel="rate", ylabel="accuracy, %", title=name)
        rates = sorted({s.point.rate for s in summaries if s.point.scheme})
        left.set_xticks(rates, [f"{rate:g}" for rate in rates], minor=False)
        left.minorticks_off()
        right.set(xscale="log", xlabel=f"µs per {unit}, one thread", title="compiled by bcr")
        right.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        right.xaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        right.xaxis.set_minor_locator(ticker.NullLocator())
        left.legend(fontsize="x-small")
        for axis in (left, right):
            axis.grid(alpha=0.3)
        if not any(s.seconds for s in summaries):
            right.set_axis_off()
            right.set_title("latency: not measured yet")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, pil_kwargs={"optimize": True})
    pyplot.close(figure)
    return path


def _draw_network(left: pyplot.Axes, right: pyplot.Axes, summaries: Sequence[Summary]) -> None:
    dense = next((s for s in summaries if not s.point.scheme), None)
    if dense:
        for axis in (left, right):
            axis.axhline(100 * dense.mean, color="grey", linewidth=1, label="dense")
        if dense.seconds:
            right.plot(1e6 * dense.seconds, 100 * dense.mean, "o", color="grey")
    blocks = iter(_BLOCKS)
    for curve in dict.fromkeys(s.point.curve for s in summaries if s.point.scheme):
        part = [s for s in summaries if s.point.curve == curve]
        style = _STYLES.get(curve, "-")
        color = {"color": next(blocks)} if curve not in _STYLES else {}
        means = [100 * s.mean for s in part]
        left.errorbar(
            [s.point.rate for s in part], means, [100 * s.spread for s in part],
            fmt=style, marker=".", capsize=2, linewidth=1.2, label=curve, **color,
        )  # fmt: skip
        timed = [(1e6 * s.seconds, m) for s, m in zip(part, means) if s.seconds]
        if timed:
            right.plot(*zip(*timed), style, marker=".", linewidth=1.2, **color)
    best = max((100 * s.mean for s in summaries), default=100)
    # Pruned filters leave the picture: beside them all other curves would be one line.
    others = [100 * (s.mean - s.spread) for s in summaries if s.point.curve not in FILTERS]
    bottom = best - max(1.5 * (best - min(others, default=0)), 1)
    for axis in (left, right):
        axis.set_ylim(bottom, best + (best - bottom) / 10)
