"""What pruning did, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcr.errors import ConfigError
from bcr.pruning.suggest import did_you_mean

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LayerRow:
    """One module with weights.

    Attributes:
        name: qualified name.
        type: class name.
        shape: shape of the weight tensor, in PyTorch's order.
        weights, kept: number of weights before and after; in a block |S| * |T| are kept.
        pruned: False for a layer left dense, then `note` says why and the rest is as if all kept.
        scheme: what was pruned, a name of `PruneConfig.scheme`; empty for a layer left dense.
        block: size of a block of W[M, K]; None for a scheme that has no such blocks.
        rate_asked, rate_reached: weights / kept; the latter is infinite if nothing is kept.
        blocks, empty_blocks: number of blocks, and of those that keep nothing.
        mean_rows, mean_columns: kept rows and columns of a block, averaged over its blocks.
        relative_error: ||W - PW|| / ||W||, Frobenius norms, 0 for W = 0.
        note: why the layer is dense, or a remark.
        seconds_before, seconds_after: latency where it was given, see `PruneReport.with_latency`.
        mask: bool [M, K], True where a weight is kept; None for a dense layer and for a report
            read by `PruneReport.from_dict`. Takes no part in comparisons.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    weights: int
    kept: int
    pruned: bool
    scheme: str = ""
    block: tuple[int, int] | None = None
    rate_asked: float = 1.0
    rate_reached: float = 1.0
    blocks: int = 1
    empty_blocks: int = 0
    mean_rows: float = 0.0
    mean_columns: float = 0.0
    relative_error: float = 0.0
    note: str = ""
    seconds_before: float | None = None
    seconds_after: float | None = None
    mask: torch.Tensor | None = field(default=None, compare=False, repr=False)

    def picture(self, path: str | Path) -> None:
        """Write the mask as a PNG file, see `bcr.pruning.mask_picture`.

        Raises:
            ConfigError: the layer is dense, so that it has no mask, or Pillow is not installed.
        """
        from bcr.pruning.picture import mask_picture

        if self.mask is None:
            raise ConfigError(
                f"layer {self.name!r} of this report has no mask: it was left dense, or the report "
                "was read from a file; draw the layer with bcr.pruning.mask_picture(module, path)"
            )
        mask_picture(self.mask, path, block=self.block)

    def _cells(self) -> tuple[str, ...]:
        """The columns of the table up to the error."""
        shape = "x".join(map(str, self.shape))
        counts = (f"{self.weights:,}", f"{self.kept:,}")
        head = (self.name or "(model)", self.type, shape)
        if not self.pruned:
            return (*head, "dense", "", "-", "1.00x", *counts, "", "", "")
        return (
            *head,
            self.scheme,
            "x".join(map(str, self.block or ())),
            f"{self.rate_asked:.2f}x",
            f"{self.rate_reached:.2f}x",
            *counts,
            f"{self.mean_rows:.1f} x {self.mean_columns:.1f}" if self.block else "",
            f"{self.empty_blocks:,} of {self.blocks:,}" if self.block else "",
            f"{self.relative_error:.4f}",
        )

    def _times(self) -> tuple[str, str, str]:
        return _time_cells(self.seconds_before, self.seconds_after)


@dataclass(frozen=True)
class PruneReport:
    """The rows of all modules with weights; `print` it for a table."""

    rows: tuple[LayerRow, ...]

    def layer(self, name: str) -> LayerRow:
        """Return the row of the module of that qualified name."""
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            raise ConfigError(f"the report has no layer {name!r}.{did_you_mean(name, rows)}")
        return rows[name]

    def with_latency(
        self, before: Mapping[str, float] | None = None, after: Mapping[str, float] | None = None
    ) -> PruneReport:
        """Return the report with seconds per layer, by name, of the dense and the pruned model.

        `Executable.profile` measures them: ``{t.name: t.seconds for t in exe.profile(x).layers}``.
        Layers that are not in a mapping keep what they have.
        """
        before, after = before or {}, after or {}
        return PruneReport(
            tuple(
                replace(
                    row,
                    seconds_before=before.get(row.name, row.seconds_before),
                    seconds_after=after.get(row.name, row.seconds_after),
                )
                for row in self.rows
            )
        )

    def to_html(self, path: str | Path) -> None:
        """Write a page that needs no other file: the table, and a picture of each layer's mask.

        Raises:
            ConfigError: Pillow is not installed, or the file cannot be written.
        """
        from bcr.pruning.html import Picture, write_page

        pictures = [
            Picture(
                row.name or "(model)",
                f"{row.scheme} at {row.rate_reached:.2f}x",
                row.mask,
                row.block,
            )
            for row in self.pruned
            if row.mask is not None
        ]
        write_page(path, "Pruning", *self._table(), pictures)

    @property
    def pruned(self) -> tuple[LayerRow, ...]:
        """The layers that were pruned."""
        return tuple(row for row in self.rows if row.pruned)

    @property
    def rate(self) -> float:
        """Weights divided by kept weights over the pruned layers."""
        return _rate(self.pruned)

    @property
    def rate_of_model(self) -> float:
        """Weights divided by kept weights over all layers of the report, dense ones included."""
        return _rate(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; an infinite rate becomes None."""
        names = [f.name for f in fields(LayerRow) if f.name != "mask"]
        rows: list[dict[str, Any]] = [{n: getattr(row, n) for n in names} for row in self.rows]
        for row in rows:
            row["shape"] = list(row["shape"])
            row["block"] = list(row["block"]) if row["block"] else None
            row["rate_reached"] = _finite(row["rate_reached"])
        return {
            "rows": rows,
            "rate": _finite(self.rate),
            "rate_of_model": _finite(self.rate_of_model),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PruneReport:
        """The inverse of `to_dict`."""
        rows = []
        for row in values["rows"]:
            fixed = {
                "shape": tuple(row["shape"]),
                "block": tuple(row["block"]) if row["block"] else None,
                "rate_reached": math.inf if row["rate_reached"] is None else row["rate_reached"],
            }
            rows.append(LayerRow(**{**row, **fixed}))
        return cls(tuple(rows))

    def __str__(self) -> str:
        # Here and not above: a report that nobody prints needs no terminal library.
        from bcr.tables import render

        return render("Pruning", *self._table())

    def _table(self) -> tuple[list[tuple[str, str]], list[tuple[str, ...]]]:
        """Return the columns and the lines, all of one length, totals last."""
        from bcr.tables import NUMBER, TEXT

        timed = any(row.seconds_before or row.seconds_after for row in self.rows)
        columns = [(name, TEXT) for name in ("layer", "type", "weight", "scheme", "block")]
        columns += [(name, NUMBER) for name in ("rate asked", "reached", "weights", "kept")]
        columns += [(name, NUMBER) for name in ("rows x cols", "empty blocks", "error")]
        columns += [(name, NUMBER) for name in ("time before", "after", "faster") if timed]
        lines = []
        for row in self.rows:
            line = (*row._cells(), *(row._times() if timed else ()))
            lines.append((*line, row.note))
        totals = (("pruned layers", self.pruned, self.rate), ("all", self.rows, self.rate_of_model))
        for label, rows, rate in totals:
            weights, kept = sum(r.weights for r in rows), sum(r.kept for r in rows)
            head = (label, f"{len(rows)} layers", "", "", "", "")
            line = (*head, f"{rate:.2f}x", f"{weights:,}", f"{kept:,}", "", "", "")
            lines.append((*line, *(_total_times(rows) if timed else ()), ""))
        return [*columns, ("note", TEXT)], lines


def _rate(rows: Sequence[LayerRow]) -> float:
    weights, kept = sum(row.weights for row in rows), sum(row.kept for row in rows)
    if weights == 0:
        return 1.0
    return weights / kept if kept else math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _time_cells(before: float | None, after: float | None) -> tuple[str, str, str]:
    from bcr.tables import time_text

    faster = f"{before / after:.2f}x" if before and after else ""
    return (time_text(before) if before else "", time_text(after) if after else "", faster)


def _total_times(rows: Sequence[LayerRow]) -> tuple[str, str, str]:
    """The sums, each only if it is known of every row."""
    before = [row.seconds_before for row in rows if row.seconds_before is not None]
    after = [row.seconds_after for row in rows if row.seconds_after is not None]
    return _time_cells(
        sum(before) if len(before) == len(rows) else None,
        sum(after) if len(after) == len(rows) else None,
    )
