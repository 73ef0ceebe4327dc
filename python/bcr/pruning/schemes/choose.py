"""What the pruning methods call: masks and groups of layers, whatever their schemes are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.schemes import columns
from bcr.pruning.schemes.column_scheme import ColumnScheme
from bcr.pruning.schemes.columns import Choice
from bcr.pruning.schemes.ranking import ranked
from bcr.pruning.schemes.registry import scheme_of
from bcr.pruning.schemes.scheme import Scheme
from bcr.pruning.tracking import tracked

_LARGE = 1 << 24  # weights from which on choosing takes seconds, worth a progress bar


def choose_masks(
    layers: Sequence[Layer],
    matrices: Mapping[str, torch.Tensor] | None = None,
    rates: Mapping[str, float] | None = None,
) -> dict[str, torch.Tensor]:
    """Choose the weights to keep, each layer by its own scheme.

    A pure function: the same arguments give the same masks, on every machine and rank.

    Args:
        layers: the layers, with their settings.
        matrices: by name, floating point [M, K], finite, to choose by; by default and for names
            that it lacks the layer's present weights.
        rates: by name, to prune at; by default and for names that it lacks the rate in the
            layer's settings.

    Returns:
        For each layer by name bool [M, K] on the device of its matrix, True where a weight stays.

    Raises:
        ConfigError: a layer's weight is NaN or infinite.
    """
    matrices, rates = matrices or {}, rates or {}
    given = [_detached(layer, matrices) for layer in layers]
    asked = [rates.get(layer.name, layer.settings.rate) for layer in layers]
    together = [i for i, layer in enumerate(layers) if _competes(layer)]
    masks: dict[str, torch.Tensor] = {}
    if together:
        chosen = _over_network(
            [layers[i] for i in together],
            [given[i] for i in together],
            [asked[i] for i in together],
        )
        masks.update(zip([layers[i].name for i in together], chosen, strict=True))
    alone = [i for i, layer in enumerate(layers) if layer.name not in masks]
    large = sum(matrix.numel() for matrix in given) > _LARGE
    for i in tracked(alone, "choose weights") if large else alone:
        layer = layers[i]
        masks[layer.name] = scheme_for(layer).mask(layer.form, given[i], asked[i])
    return {layer.name: masks[layer.name] for layer in layers}


def group_norms(layer: Layer, matrix: torch.Tensor) -> list[torch.Tensor]:
    """Return the squared norms of the groups of weights that the layer's scheme drops together.

    Args:
        layer: with its settings.
        matrix: [M, K] of any floating dtype; the result is differentiable in it.

    Returns:
        One tensor for each kind of group, such as the columns and the rows of the blocks. Of a
        matrix of ones they hold the sizes of the groups.
    """
    return scheme_for(layer).group_norms(layer.form, matrix)


def threshold_masks(
    layers: Sequence[Layer],
    threshold: float | Mapping[str, float],
    matrices: Mapping[str, torch.Tensor] | None = None,
) -> dict[str, torch.Tensor]:
    """Keep the groups of `group_norms` whose root mean square is above a threshold.

    So the rates come out of the training and not out of the settings. Where a weight is in several
    groups, the row and the column of a block, it stays if all of them do.

    Args:
        layers: the layers, with their settings.
        threshold: in the unit of a weight; one for all layers, or one for each by name.
        matrices: as for `choose_masks`.

    Returns:
        For each layer by name bool [M, K]. It may be all False.
    """
    masks = {}
    for layer in layers:
        bound = threshold if isinstance(threshold, int | float) else threshold[layer.name]
        matrix = _detached(layer, matrices or {})
        masks[layer.name] = scheme_for(layer).threshold_mask(layer.form, matrix, bound)
    return masks


def scheme_for(layer: Layer) -> Scheme:
    """Return the scheme of a layer's settings."""
    return scheme_of(layer.settings.scheme)


def _detached(layer: Layer, matrices: Mapping[str, torch.Tensor]) -> torch.Tensor:
    return matrices[layer.name].detach() if layer.name in matrices else layer.matrix()


def _competes(layer: Layer) -> bool:
    scheme = scheme_for(layer)
    return layer.settings.ranking == "network" and isinstance(scheme, ColumnScheme)


def _over_network(
    layers: Sequence[Layer], matrices: Sequence[torch.Tensor], rates: Sequence[float]
) -> list[torch.Tensor]:
    """Rank the layers' columns together; the budget is the sum of the layers' own ones.

    Where rows are pruned too, the blocks of all layers keep the same share of them, as in a layer.
    """
    schemes = [_column_scheme(layer) for layer in layers]
    forms = [layer.form for layer in layers]
    weights = _scaled_together(matrices)
    budget = sum(columns.budget_of(w.numel(), r) for w, r in zip(weights, rates, strict=True))
    splits = [s.splits(f, r) for s, f, r in zip(schemes, forms, rates, strict=True)]
    tried: list[list[Choice]] = []
    for i in range(max(map(len, splits))):
        rows = [split[min(i, len(split) - 1)] for split in splits]
        found = [s.units(f, w, n) for s, f, w, n in zip(schemes, forms, weights, rows, strict=True)]
        tried.append(ranked(found, budget))
    taken = min(
        tried,
        key=lambda choices: (
            sum(choice.kept for choice in choices) > budget,
            sum(choice.lost for choice in choices),
        ),
    )
    return [
        s.choice_mask(f, w, choice)
        for s, f, w, choice in zip(schemes, forms, weights, taken, strict=True)
    ]


def _column_scheme(layer: Layer) -> ColumnScheme:
    scheme = scheme_for(layer)
    assert isinstance(scheme, ColumnScheme)
    return scheme


def _scaled_together(matrices: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Scale by one power of two if a matrix is float64, see `columns.scaled`."""
    if all(m.dtype != torch.float64 for m in matrices):
        return list(matrices)
    largest = torch.stack([m.abs().max().double().cpu() for m in matrices]).max()
    exponent = -torch.frexp(largest)[1]
    return [torch.ldexp(m.double(), exponent.to(m.device)) for m in matrices]
