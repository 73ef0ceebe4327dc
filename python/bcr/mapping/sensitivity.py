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
from bcr.pruning import LayerRow
from bcr.pruning.recurrent import expand
from bcr.pruning.sharing import raw_weight

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
    """Estimates harm, layer by layer: `ProjectionError`, `LossIncrease` or `FisherLoss`."""

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
        return _measure(OneShot(model), choices, progress, lambda row: row.relative_error**2)


class LossIncrease:
    """The increase of a loss on calibration data when the layer alone is pruned by magnitude.

    Sensitivity of single layers is that of "Pruning Filters for Efficient ConvNets" (Li et al.,
    ICLR 2017); for a network the layers are added up. Noise is taken out: an increase is at least
    0, and in one form a higher rate does at least as much harm as a lower one.

    What is measured is the harm before any training: it says little of layers that strong pruning
    breaks and training repairs. `FisherLoss` is for these.

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
        trial = OneShot(model)
        base = _finite(self.loss(trial.model), "the dense model")
        return _measure(
            trial,
            choices,
            progress,
            lambda row: _finite(self.loss(trial.model), f"the model without {row.name}") - base,
        )


class FisherLoss:
    """The increase of the loss that its curvature predicts: sum of F (W - PW)^2 / 2 over a layer.

    F is the mean square of each weight's gradient over single samples, the diagonal of the
    empirical Fisher matrix, in place of the second derivative of "Optimal Brain Damage" (LeCun et
    al., NeurIPS 1989). Where `LossIncrease` says the same of all rates at which a layer
    is broken, this goes on rising, which is right for networks that are trained after pruning.

    Args:
        batches: inputs and targets; samples are taken one by one.
        criterion: maps outputs and targets to a scalar; default: cross entropy.
        samples: how many at most.
    """

    def __init__(
        self,
        batches: Sequence[tuple[torch.Tensor, torch.Tensor]],
        criterion: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
        samples: int = 256,
    ) -> None:
        self._batches, self._samples = batches, samples
        self._criterion = nn.functional.cross_entropy if criterion is None else criterion

    def measure(
        self, model: nn.Module, choices: Mapping[str, Sequence[Choice]], progress: bool
    ) -> dict[str, dict[Choice, Harm]]:
        """See `Sensitivity.measure`.

        Raises:
            ConfigError: there is no sample, or a gradient is not finite.
        """
        trial = OneShot(model)
        modules = expand(dict(trial.model.named_modules()))
        weights: dict[str, nn.Parameter] = {}
        for name in choices:
            weight = raw_weight(modules[name])
            assert weight is not None
            weights[name] = weight
        fisher = self._fisher(trial.model, weights, progress)
        dense = {name: weight.detach().clone() for name, weight in weights.items()}

        def judge(row: LayerRow) -> float:
            lost = dense[row.name] - weights[row.name].detach()
            return float((fisher[row.name] * lost.square()).sum() / 2)

        return _measure(trial, choices, progress, judge)

    def _fisher(
        self, model: nn.Module, weights: Mapping[str, nn.Parameter], progress: bool
    ) -> dict[str, torch.Tensor]:
        """Return the mean square of the gradients of some weights."""
        pairs = [(x[i : i + 1], y[i : i + 1]) for x, y in self._batches for i in range(len(y))]
        pairs = pairs[: self._samples]
        if not pairs:
            raise ConfigError("FisherLoss needs a sample to calibrate on")
        before = [(weight, weight.requires_grad) for weight in weights.values()]
        sums = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for weight in weights.values():
            weight.requires_grad_(True)
        with Bar("gradients", len(pairs), progress) as bar:
            for x, y in pairs:
                bar.advance("")
                loss = self._criterion(model(x), y)
                _finite(float(loss.detach()), "the dense model")
                gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
                for total, gradient in zip(sums.values(), gradients):
                    if gradient is not None:
                        total += gradient.square()
        for weight, required in before:
            weight.requires_grad_(required)
        return {name: total / len(pairs) for name, total in sums.items()}


def _measure(
    trial: OneShot,
    choices: Mapping[str, Sequence[Choice]],
    progress: bool,
    judge: Callable[[LayerRow], float],
) -> dict[str, dict[Choice, Harm]]:
    """Prune layer after layer and let `judge` say how bad that is, while the layer is pruned."""
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
                    harm = judge(row)
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
