"""Says which blocks and schemes the zeros of a model fit, whoever put them there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bcr.errors import ConfigError
from bcr.pruning.fit import BlockFit, fit_blocks, fit_schemes
from bcr.pruning.layer import PRUNABLE, outer_mask, weight_parameter
from bcr.pruning.recurrent import expand, kinds
from bcr.pruning.suggest import did_you_mean
from bcr.pruning.tracking import tracked

_WEIGHT = re.compile(
    r"(?P<whole>(?:(?P<module>.*)\.)?(?P<kind>weight(_[ih][hr](_l\d+(_reverse)?)?)?))(?P<orig>_orig)?"
)


@dataclass(frozen=True)
class LayerFit:
    """What the zeros of one layer fit.

    Attributes:
        name: qualified name of the module.
        type: class name; empty where only tensors are known.
        shape: of the weight tensor.
        weights, kept: number of weights, and of those that are not zero.
        schemes: names of the schemes whose pattern the zeros have, the strictest first; "dense"
            without zeros, "empty" without anything else, "unstructured" if nothing fits.
        blocks: the block shapes that describe the zeros best, the best one first; none for a layer
            without zeros.
        note: what to do about it, or a remark.
        mask: bool [M, K], True where a weight is not zero. Takes no part in comparisons.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    weights: int
    kept: int
    schemes: tuple[str, ...]
    blocks: tuple[BlockFit, ...]
    note: str
    mask: torch.Tensor = field(compare=False, repr=False)

    @property
    def sparsity(self) -> float:
        """Fraction of the weights that are zero."""
        return 1 - self.kept / self.weights

    @property
    def block(self) -> tuple[int, int] | None:
        """The block shape that fits best."""
        return self.blocks[0].block if self.blocks else None

    @property
    def rate(self) -> float:
        """Weights divided by those that are not zero, the rate that the zeros allow at best."""
        return self.weights / max(1, self.kept)

    @property
    def rate_stored(self) -> float:
        """Weights divided by those that the best blocks store; 1 for a layer without zeros."""
        return self.blocks[0].rate if self.blocks else 1.0

    def picture(self, path: str | Path) -> None:
        """Write the mask as a PNG file, see `bcr.pruning.mask_picture`."""
        from bcr.pruning.picture import mask_picture

        mask_picture(self.mask, path, block=self.block)


@dataclass(frozen=True)
class FitReport:
    """The fits of all layers; `print` it for a table."""

    rows: tuple[LayerFit, ...]

    def layer(self, name: str) -> LayerFit:
        """Return the row of the module of that qualified name."""
        rows = {row.name: row for row in self.rows}
        if name not in rows:
            raise ConfigError(f"the report has no layer {name!r}.{did_you_mean(name, rows)}")
        return rows[name]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "rows": [
                {
                    "name": row.name,
                    "type": row.type,
                    "shape": list(row.shape),
                    "weights": row.weights,
                    "kept": row.kept,
                    "sparsity": row.sparsity,
                    "schemes": list(row.schemes),
                    "blocks": [
                        {"block": list(b.block), "stored": b.stored, "rate": b.rate}
                        for b in row.blocks
                    ],
                    "note": row.note,
                }
                for row in self.rows
            ]
        }

    def to_html(self, path: str | Path) -> None:
        """Write a page that needs no other file: the table, and a picture of each layer's zeros.

        Raises:
            ConfigError: Pillow is not installed, or the file cannot be written.
        """
        from bcr.pruning.html import Picture, write_page

        pictures = [
            Picture(row.name or "(model)", ", ".join(row.schemes), row.mask, row.block)
            for row in self.rows
            if row.blocks
        ]
        write_page(path, "Zeros of the model", *self._table(), pictures)

    def __str__(self) -> str:
        from bcr.tables import render

        return render("Zeros of the model", *self._table())

    def _table(self) -> tuple[list[tuple[str, str]], list[tuple[str, ...]]]:
        from bcr.tables import NUMBER, TEXT

        columns = [(name, TEXT) for name in ("layer", "type", "weight")]
        columns += [("zeros", NUMBER), ("rate", NUMBER), ("fits", TEXT), ("block", TEXT)]
        columns += [("rate stored", NUMBER), ("next best", TEXT), ("note", TEXT)]
        lines: list[tuple[str, ...]] = [
            (
                row.name or "(model)",
                row.type,
                "x".join(map(str, row.shape)),
                f"{row.sparsity:.1%}",
                f"{row.rate:.2f}x",
                ", ".join(row.schemes),
                _times(row.blocks[0].block) if row.blocks else "-",
                f"{row.rate_stored:.2f}x",
                ", ".join(f"{_times(b.block)} {b.rate:.2f}x" for b in row.blocks[1:]),
                row.note,
            )
            for row in self.rows
        ]
        return columns, lines


def inspect(model: nn.Module | torch.export.ExportedProgram | Mapping[str, Any]) -> FitReport:
    """Say which block shapes and schemes the zeros of a model fit.

    For models pruned elsewhere: weights that are plain zeros, or the ``weight_orig`` and
    ``weight_mask`` of `torch.nn.utils.prune`. Nothing is changed.

    Args:
        model: a module, of which the linear, convolutional and recurrent layers are looked at; or
            an exported program or a state dict, of which all tensors of two or more dimensions are
            whose names end like those of such weights.

    Raises:
        ConfigError: `model` is none of these, or has no such weight.
    """
    layers = list(_weights_of(model))
    if not layers:
        raise ConfigError(
            "the model has no weight to look at: no linear or convolutional layer, and no tensor "
            "whose name ends in 'weight'"
        )
    return FitReport(tuple(_fit(*layer) for layer in tracked(layers, "look at zeros")))


def _weights_of(model: Any) -> Iterator[tuple[str, str, torch.Tensor, int]]:
    """Name, class, weight with its mask applied, and groups of each layer."""
    if isinstance(model, nn.Module):
        seen: set[int] = set()
        for name, module in expand(dict(model.named_modules())).items():
            if not isinstance(module, PRUNABLE):
                continue
            parameter = weight_parameter(module, name)
            if id(parameter) in seen or parameter.numel() == 0:
                continue
            seen.add(id(parameter))
            mask = outer_mask(module)
            weight = parameter.detach()
            weight = weight if mask is None else weight * mask
            yield name, kinds(module)[0], weight, int(getattr(module, "groups", 1))
        return
    state = model.state_dict if isinstance(model, torch.export.ExportedProgram) else model
    if not isinstance(state, Mapping):
        raise ConfigError(
            f"model is a {type(model).__name__}: pass a torch.nn.Module, an exported program or a "
            "state dict"
        )
    for key, tensor in state.items():
        found = _WEIGHT.fullmatch(str(key))
        if found is None or not isinstance(tensor, torch.Tensor):
            continue
        if tensor.dim() < 2 or tensor.numel() == 0 or not tensor.is_floating_point():
            continue
        mask = state.get(f"{found['whole']}_mask") if found["orig"] else None
        name = (found["module"] or "") if found["kind"] == "weight" else found["whole"]
        yield name, "", (tensor if mask is None else tensor * mask).detach(), 1


def _fit(name: str, kind: str, weight: torch.Tensor, groups: int) -> LayerFit:
    nonzero = weight.flatten(1) != 0
    shape = tuple(weight.shape)
    kept = int(nonzero.sum())
    blocks: list[BlockFit] = []
    if kept < nonzero.numel():
        blocks = fit_blocks(nonzero, nonzero.shape[1] // shape[1])
        schemes = fit_schemes(nonzero, shape, groups, blocks[0])
    else:
        schemes = ["dense"]
    note = ""
    if blocks and blocks[0].block == (1, 1) and kept:
        note = "the zeros form no blocks: single weights gain little, prune in blocks"
    return LayerFit(
        name, kind, shape, nonzero.numel(), kept, tuple(schemes), tuple(blocks), note, nonzero
    )


def _times(block: tuple[int, int]) -> str:
    return f"{block[0]}x{block[1]}"
