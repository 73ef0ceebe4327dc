"""A picture of accuracy against latency."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bcr.container import write_atomically
from bcr.errors import ConfigError

if TYPE_CHECKING:
    from bcr.mapping.optuna_search import SearchResult


def plot_front(result: SearchResult, path: str | os.PathLike[str]) -> None:
    """Write a PNG: all trials, the Pareto front, the dense network and the bounds.

    Args:
        result: what `search` returned.
        path: the file.

    Raises:
        ConfigError: matplotlib is not installed.
        ExportError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigError(
            "the plot needs matplotlib, which is not installed: pip install 'bcr[map]'"
        ) from None
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for bound in sorted({trial.bound for trial in result.trials}):
        axes.axvline(1e3 * bound, color="0.8", linewidth=1, zorder=0)
    axes.scatter(
        [1e3 * trial.latency for trial in result.trials],
        [trial.accuracy for trial in result.trials],
        s=14, color="0.6", label="trials",
    )  # fmt: skip
    front = result.front
    axes.plot(
        [1e3 * trial.latency for trial in front],
        [trial.accuracy for trial in front],
        color="tab:blue", marker="o", drawstyle="steps-post", label="Pareto front",
    )  # fmt: skip
    accuracy, latency = result.dense
    axes.scatter([1e3 * latency], [accuracy], marker="*", s=120, color="tab:red", label="dense")
    axes.set_xlabel("latency of a call, ms (trials: predicted; dense: measured; lines: bounds)")
    axes.set_ylabel("accuracy")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    write_atomically(Path(path), lambda to: to.write_bytes(data.getvalue()))
