"""How much harm it does to prune a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from bcr.errors import ConfigError
from bcr.mapping.choice import Choice
from bcr.mapping.oneshot import OneShot
from bcr.mapping.progress import Bar

Loss = Callable[[nn.Module], float]
"""Maps a model in eval mode to its loss on calibration data; lower is better."""


@dataclass(frozen=True)
class Harm:
    """What pruning a layer does.

    Attributes:
        loss: how much worse the network becomes, at least 0. Sums over layers are compared.
        kept: weights that the layer keeps.
    """

    loss: float
    kept: int


class Sensitivity(Protocol):
    """Estimates harm, layer by layer. `ProjectionError` and `LossIncrease` are there."""

    def measure(
        self, model: nn.Module, choices: Mapping[str, Sequence[Choice]], progress: bool
    ) -> dict[str, dict[Choice, Harm]]:
        """Return the harm of each choice of each layer, every layer pruned alone.

        Args:
            model: not changed.
            choices: by qualified name of the layer; none of them dense.
            progress: show a bar on a terminal.
        """


class ProjectionError:
    """The share of a layer's energy that pruning removes, ||W - PW||^2 / ||W||^2: needs no data.

    It is the objective that the projection minimises within a layer; across layers it takes all of
    them for equally important, which they are not. Use `LossIncrease` where there is data.
    """

    def measure(
        self, model: nn.Module, choices: Mapping[str, Sequence[Choice]], progress: bool
    ) -> dict[str, dict[Choice, Harm]]:
        """See `Sensitivity.measure`."""
        return _measure(model, choices, progress, loss=None)


class LossIncrease:
    """The increase of a loss on calibration data when the layer alone is pruned by magnitude.

    Sensitivity of single layers is that of "Pruning Filters for Efficient ConvNets" (Li et al.,
    ICLR 2017); for a network the layers are added up. Noise is taken out: an increase is at least
    0, and in one form a higher rate does at least as much harm as a lower one.

    Args:
        loss: maps a model in eval mode to its loss, a finite number; lower is better. It must say
            the same for the same model.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    @classmethod
    def on(
        cls,
        batches: Sequence[tuple[torch.Tensor, torch.Tensor]],
        criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    ) -> LossIncrease:
        """Build one that takes the mean loss over batches.

        Args:
            batches: inputs and targets.
            criterion: maps outputs and targets to a scalar; default: cross entropy.
        """
        judge = nn.functional.cross_entropy if criterion is None else criterion

        def loss(model: nn.Module) -> float:
            with torch.no_grad():
                losses = [(float(judge(model(x), y)), len(y)) for x, y in batches]
            return sum(value * n for value, n in losses) / sum(n for _, n in losses)

        return cls(loss)

    def measure(
        self, model: nn.Module, choices: Mapping[str, Sequence[Choice]], progress: bool
    ) -> dict[str, dict[Choice, Harm]]:
        """See `Sensitivity.measure`.

        Raises:
            ConfigError: the loss is not a finite number.
        """
        return _measure(model, choices, progress, self.loss)


def _measure(
    model: nn.Module,
    choices: Mapping[str, Sequence[Choice]],
    progress: bool,
    loss: Loss | None,
) -> dict[str, dict[Choice, Harm]]:
    trial = OneShot(model)
    base = 0.0 if loss is None else _finite(loss(trial.model), "the dense model")
    harms: dict[str, dict[Choice, Harm]] = {}
    total = sum(map(len, choices.values()))
    with Bar("sensitivity", total, progress) as bar:
        for name, options in choices.items():
            found: dict[Choice, Harm] = {}
            worst: dict[object, float] = {}
            for choice in sorted(options, key=lambda c: c.rate):
                bar.advance(f"{name}, {choice}")
                with trial.pruned({name: choice}) as report:
                    (row,) = report.pruned
                    if loss is None:
                        harm = row.relative_error**2
                    else:
                        harm = _finite(loss(trial.model), f"{name} as {choice}") - base
                harm = max(harm, worst.get(choice.form, 0.0))
                worst[choice.form] = harm
                found[choice] = Harm(harm, row.kept)
            harms[name] = found
    return harms


def _finite(value: float, what: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ConfigError(
            f"the loss of {what} is {value!r}: sensitivity needs a finite number; look at the "
            "calibration data"
        )
    return number
