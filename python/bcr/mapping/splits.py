"""How scheme "both" splits the loss of a layer between rows and columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from torch import nn

from bcr.mapping.choice import Choice, Form
from bcr.mapping.progress import Bar
from bcr.pruning import bcr_mask, block_counts
from bcr.pruning.blocks import block_size
from bcr.pruning.config import LayerConfig
from bcr.pruning.layer import Layer
from bcr.pruning.recurrent import expand

_SPLIT = "both"


def with_splits(
    model: nn.Module, choices: Mapping[str, Sequence[Choice]], progress: bool
) -> dict[str, dict[Choice, Choice]]:
    """Return how to ask for the time of each choice: with the rows that a block keeps, as the
    weights of the layer have it, or as scheme "columns" where they keep all rows.

    Blocks of equal size and rate take different times with few rows and many columns and the
    other way round, and the weights decide which it is.

    Args:
        model: the dense network.
        choices: by name of the layer.
        progress: show a bar on a terminal.
    """
    modules = expand(dict(model.named_modules()))
    found: dict[str, dict[Choice, Choice]] = {}
    total = sum(_is_split(choice) for some in choices.values() for choice in some)
    with Bar("rows or columns", total, progress) as bar:
        for name, some in choices.items():
            module = modules[name]
            matrix = Layer(name, module, LayerConfig(rate=1, block="matrix")).matrix()
            found[name] = {}
            for choice in some:
                found[name][choice] = choice
                if not _is_split(choice):
                    continue
                bar.advance(f"{name}, {choice}")
                assert choice.form is not None
                assert choice.form.block is not None
                block = choice.form.block
                mask = bcr_mask(matrix, rate=choice.rate, block=block, scheme=_SPLIT)
                rows = int(block_counts(mask, block)[0].max())
                whole = block_size(block, (matrix.shape[0], matrix.shape[1]))[0]
                if rows == whole:
                    # Columns alone: what was measured of those serves here too.
                    found[name][choice] = Choice(Form("columns", block), choice.rate)
                else:
                    found[name][choice] = dataclasses.replace(choice, rows=max(rows, 1))
    return found


def _is_split(choice: Choice) -> bool:
    return choice.form is not None and choice.form.scheme == _SPLIT
