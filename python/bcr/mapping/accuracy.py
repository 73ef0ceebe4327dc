"""Accuracy on calibration data, quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from bcr.errors import ConfigError


def accuracy_on(
    batches: Sequence[tuple[torch.Tensor, torch.Tensor]],
) -> Callable[[nn.Module], Iterator[float]]:
    """Return an `evaluate` for `search` that trains nothing.

    It yields the share of right answers after each batch, of all so far, so that a trial that falls
    behind is stopped before the last batch. Without training, accuracies of strongly pruned
    networks are low; their order is what counts.

    Args:
        batches: inputs and class numbers [N]; at least one, and the same order in every call.

    Raises:
        ConfigError: there is no batch.
    """
    if not batches:
        raise ConfigError("accuracy_on needs a batch of inputs and class numbers")

    def evaluate(model: nn.Module) -> Iterator[float]:
        right = total = 0
        for x, classes in batches:
            with torch.no_grad():
                right += int((model(x).argmax(-1) == classes).sum())
            total += classes.numel()
            yield right / total

    return evaluate
