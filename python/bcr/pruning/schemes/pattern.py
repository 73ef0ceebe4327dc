"""Patterns: a 3x3 kernel keeps 4 of its 9 weights, in one of a few patterns; whole kernels go.

Source: PatDNN (Niu et al., ASPLOS 2020). The natural pattern of a kernel is
its centre and the three largest weights around it, 56 in all. The patterns that are natural to most
kernels are the library of the layer; every kernel that stays takes its natural pattern if that is
in the library, otherwise the one that keeps most of its energy. Connectivity pruning drops whole
kernels until the rate is reached: those whose natural pattern holds least energy.

Counts. Of n kernels at rate r the budget is B = floor(9n / r), and floor(B / 4) kernels stay with 4
weights each, at least one if B >= 1. At rates below 9/4, as a gradual schedule asks for,
all kernels stay, and as many as the budget allows, floor((B - 4n) / 5), keep all 9 weights: those
that a pattern would take most from. Of equals the lower index.

Projecting twice changes nothing where no kept weight is exactly zero: then every kernel votes for
the pattern that it has. A kernel with less than four weights has several natural patterns and votes
after all others.
"""

from __future__ import annotations

from itertools import combinations

import torch

from bcr.pruning.form import Form
from bcr.pruning.schemes import columns
from bcr.pruning.schemes.ranking import largest
from bcr.pruning.schemes.scheme import Scheme, above

_CENTRE = 4
_AROUND = [i for i in range(9) if i != _CENTRE]
_PATTERNS = list(combinations(range(8), 3))  # of the places in _AROUND


class Pattern(Scheme):
    """One of a library of patterns for every 3x3 kernel, and connectivity pruning."""

    def refusal(self, form: Form) -> str:
        """See `Scheme.refusal`."""
        if form.shape[2:] == (3, 3):
            return ""
        kernel = "x".join(map(str, form.shape[2:])) or "none"
        return f"a pattern is of 3x3 kernels and the kernel here is {kernel}"

    def mask(self, form: Form, matrix: torch.Tensor, rate: float) -> torch.Tensor:
        """See `Scheme.mask`."""
        energy = _energy(columns.scaled(matrix))
        count = energy.shape[0]
        budget = columns.budget_of(matrix.numel(), rate)
        natural, natural_energy = _natural(energy)
        stays = largest(natural_energy, min(count, max(budget // 4, min(budget, 1))))
        kept = _patterned(energy, natural, stays, form.settings.patterns)
        if budget > 4 * count:
            lost = energy.sum(dim=1) - natural_energy
            kept[largest(lost, (budget - 4 * count) // 5)] = True
        return kept.view(form.matrix)

    def group_norms(self, form: Form, matrix: torch.Tensor) -> list[torch.Tensor]:
        """See `Scheme.group_norms`: the kernels [n], and what a pattern takes from each [n]."""
        energy = matrix.reshape(-1, 9).square()
        detached = _energy(matrix.detach())
        everyone = torch.ones(len(detached), dtype=torch.bool, device=matrix.device)
        kept = _patterned(detached, _natural(detached)[0], everyone, form.settings.patterns)
        return [energy.sum(dim=1), energy.masked_fill(kept, 0).sum(dim=1)]

    def threshold_mask(self, form: Form, matrix: torch.Tensor, threshold: float) -> torch.Tensor:
        """See `Scheme.threshold_mask`; kernels by the weights of their natural pattern."""
        energy = _energy(matrix)
        natural, natural_energy = _natural(energy)
        stays = above(natural_energy, 4, threshold)
        return _patterned(energy, natural, stays, form.settings.patterns).view(form.matrix)


def _energy(matrix: torch.Tensor) -> torch.Tensor:
    """Return the squares of the kernels, float64 [n, 9]."""
    return matrix.reshape(-1, 9).to(torch.float64, copy=True).square_()


def _natural(energy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the index of each kernel's natural pattern and the energy in it, both [n]."""
    around = energy[:, _AROUND]
    order = around.argsort(dim=1, descending=True, stable=True)[:, :3]
    index = torch.zeros(256, dtype=torch.int64, device=energy.device)
    index[[sum(1 << place for place in pattern) for pattern in _PATTERNS]] = torch.arange(
        len(_PATTERNS), device=energy.device
    )
    natural_energy = energy[:, _CENTRE] + around.gather(1, order).sum(dim=1)
    return index[(1 << order).sum(dim=1)], natural_energy


def _patterned(
    energy: torch.Tensor, natural: torch.Tensor, stays: torch.Tensor, size: int
) -> torch.Tensor:
    """Return bool [n, 9]: a pattern of the library for every kernel that stays.

    The library is chosen by the kernels that stay: those with four weights count first.
    """
    table = torch.zeros(len(_PATTERNS), 9, dtype=torch.bool, device=energy.device)
    table[:, _CENTRE] = True
    for i, pattern in enumerate(_PATTERNS):
        table[i, [_AROUND[place] for place in pattern]] = True

    weights = ((energy > 0) & table[natural]).sum(dim=1)
    full = natural[stays & (weights == 4)].bincount(minlength=len(_PATTERNS))
    other = natural[stays & (weights > 0) & (weights < 4)].bincount(minlength=len(_PATTERNS))
    votes = full * (len(energy) + 1) + other
    library = votes.argsort(descending=True, stable=True)[:size].sort().values

    fits = energy @ table[library].double().T
    chosen = library[fits.argmax(dim=1)]
    chosen = torch.where(torch.isin(natural, library), natural, chosen)
    return table[chosen] & stays[:, None]
