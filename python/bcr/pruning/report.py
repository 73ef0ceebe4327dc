"""What pruning did, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


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


@dataclass(frozen=True)
class PruneReport:
    """The rows of all modules with weights; `print` it for a table."""

    rows: tuple[LayerRow, ...]

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
        rows = [asdict(row) for row in self.rows]
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
        from bcr.tables import NUMBER, TEXT, render

        columns = [(name, TEXT) for name in ("layer", "type", "weight", "scheme", "block")]
        columns += [
            (name, NUMBER)
            for name in ("rate asked", "reached", "kept", "rows x cols", "empty blocks", "error")
        ]
        lines = []
        for row in self.rows:
            head = (row.name or "(model)", row.type, "x".join(map(str, row.shape)))
            if not row.pruned:
                lines.append(
                    (*head, "dense", "", "-", "1.00x", f"{row.kept:,}", "", "", "", row.note)
                )
                continue
            lines.append(
                (
                    *head,
                    row.scheme,
                    "x".join(map(str, row.block or ())),
                    f"{row.rate_asked:.2f}x",
                    f"{row.rate_reached:.2f}x",
                    f"{row.kept:,}",
                    f"{row.mean_rows:.1f} x {row.mean_columns:.1f}" if row.block else "",
                    f"{row.empty_blocks:,} of {row.blocks:,}" if row.block else "",
                    f"{row.relative_error:.4f}",
                    row.note,
                )
            )
        totals = (("pruned layers", self.pruned, self.rate), ("all", self.rows, self.rate_of_model))
        for label, rows, rate in totals:
            weights, kept = sum(r.weights for r in rows), sum(r.kept for r in rows)
            cells = (f"{rate:.2f}x", f"{kept:,}", "", "", "", "")
            lines.append((label, f"{len(rows)} layers", f"{weights:,}", "", "", "", *cells))
        return render("Pruning", [*columns, ("note", TEXT)], lines)


def _rate(rows: Sequence[LayerRow]) -> float:
    weights, kept = sum(row.weights for row in rows), sum(row.kept for row in rows)
    if weights == 0:
        return 1.0
    return weights / kept if kept else math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
