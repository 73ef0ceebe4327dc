"""Coefficients of the reweighted group lasso."""

from __future__ import annotations

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.methods.quadratic import wide
from bcr.pruning.schemes import group_norms


def coefficients(layer: Layer, epsilon: float) -> torch.Tensor:
    """Return how much each single weight is to be penalised, from the norms of its groups.

    Source: Ma et al., "BLK-REW: A Unified Block-based DNN Pruning Framework using Reweighted
    Regularization Method" (2020), after Candes et al., "Enhancing Sparsity by
    Reweighted l1 Minimization" (2008). A group g of weights, such as a column of a block, has the
    penalty ``||W_g||^2 / (||W_g^t||^2 + epsilon)``, where W^t is the weight at the last
    reweighting: large groups are left alone, small ones driven to zero. Here norms are measured
    in the unit that makes the mean square of a layer's weights 1, and per weight of the group:
    so one strength and one `epsilon` mean the same for all layers and sizes of group.

    As the norms at W^t are constants, the sum over all groups is ``sum(c * W^2)`` with one c for
    each weight: the sum over its groups of ``1 / (mean square of the group / mean square of the
    layer + epsilon)``. A weight of an average group has c = 1 / (1 + epsilon), one of an
    all-zero group 1 / epsilon.

    Returns:
        `wide`, in the shape of the parameter.
    """
    matrix = wide(layer.matrix())
    unit = matrix.square().mean().clamp(min=torch.finfo(matrix.dtype).tiny)
    # The squared norm of a group is linear in the squares of its weights, so half the gradient at
    # a matrix of ones says for each weight in which groups it is.
    ones = torch.ones_like(matrix, requires_grad=True)
    with torch.enable_grad():
        total = torch.zeros((), dtype=matrix.dtype, device=matrix.device)
        sizes = group_norms(layer, ones)
        for norms, size in zip(group_norms(layer, matrix), sizes, strict=True):
            mean_square = norms / size.detach().clamp(min=1) / unit
            total = total + (size / (mean_square + epsilon)).sum()
        (gradient,) = torch.autograd.grad(total, ones)
    return (gradient / 2).reshape(layer.parameter.shape)
