"""What every pruning scheme offers to the methods."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch

from bcr.pruning.form import Form


class Scheme(ABC):
    """Which weights of a layer may be zero together: a projection with exact counts.

    A scheme holds no state. Every method takes the layer's `Form` and a matrix [M, K].
    """

    def refusal(self, form: Form) -> str:
        """Return why the scheme does not apply to the layer, empty if it does."""
        return ""

    @abstractmethod
    def mask(self, form: Form, matrix: torch.Tensor, rate: float) -> torch.Tensor:
        """Return bool [M, K], True for the weights to keep at `rate`."""

    @abstractmethod
    def group_norms(self, form: Form, matrix: torch.Tensor) -> list[torch.Tensor]:
        """Return the squared norms of the groups that live or die together.

        Differentiable in `matrix`; one tensor for each kind of group. Of a matrix of ones they are
        the sizes of the groups.
        """

    @abstractmethod
    def threshold_mask(self, form: Form, matrix: torch.Tensor, threshold: float) -> torch.Tensor:
        """Return bool [M, K] that keeps the groups whose root mean square is above `threshold`."""


def above(norms: torch.Tensor, size: int, threshold: float) -> torch.Tensor:
    """Return which groups of `size` weights have a root mean square above `threshold`.

    Args:
        norms: squared norms.
        size: weights of a group.
        threshold: of the unit of a weight.
    """
    return (norms / max(size, 1)).sqrt() > threshold
