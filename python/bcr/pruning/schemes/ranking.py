"""Lets the columns of blocks compete for one budget, over a layer or over a network."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bcr.pruning.schemes.columns import Choice, Units


def ranked(layers: Sequence[Units], budget: int) -> list[Choice]:
    """Keep the units of largest mean square that fit into `budget` weights together.

    Of equals the unit of the earlier layer, then the earlier block, then the lower column stays.
    Where several layers compete, the best unit of each comes before all others, so that no layer
    is cut off from the network. If not one unit fits, the best one stays.
    """
    keys = [e / max(s, 1) for u in layers for e, s in zip(u.energies, u.sizes, strict=True)]
    sizes = [s for u in layers for s in u.sizes]
    if len(layers) > 1:
        first = 0
        for u in layers:
            last = first + len(u.energies)
            best = max(range(first, last), key=lambda i: (float(keys[i].max()), -i))
            keys[best][keys[best].argmax()] = torch.inf
            first = last
    kept = _take(keys, sizes, budget)
    choices, first = [], 0
    for u in layers:
        choices.append(u.choice(kept[first : first + len(u.energies)]))
        first += len(u.energies)
    return choices


def _take(
    keys: Sequence[torch.Tensor], sizes: Sequence[int], budget: int
) -> tuple[torch.Tensor, ...]:
    """Return which units stay; those of `keys[i]` hold `sizes[i]` weights each."""
    counts = [key.numel() for key in keys]
    key = torch.cat([k.to(keys[0].device) for k in keys])
    if len(set(sizes)) == 1:
        kept = largest(key, min(budget // sizes[0], key.numel()))
    else:
        kept = _fitting(key, keys, sizes, budget)
    if budget >= 1 and not bool(kept.any()):
        kept[key.argmax()] = True
    parts = torch.split(kept, counts)
    return tuple(part.to(k.device) for part, k in zip(parts, keys, strict=True))


def largest(key: torch.Tensor, count: int) -> torch.Tensor:
    """Return the `count` largest of `key`; of equals the earlier ones."""
    if count == 0:
        return torch.zeros_like(key, dtype=torch.bool)
    bound = key.kthvalue(key.numel() - count + 1).values
    kept = key > bound
    equal = (key == bound).nonzero().flatten()
    kept[equal[: count - int(kept.sum())]] = True
    return kept


def _fitting(
    key: torch.Tensor, keys: Sequence[torch.Tensor], sizes: Sequence[int], budget: int
) -> torch.Tensor:
    """Go through the units from the largest key on and keep each one that still fits.

    A unit that does not fit shuts out all that are as large, so that few rounds do.
    """
    order = key.argsort(descending=True, stable=True)
    size = torch.cat([torch.full_like(k, s, dtype=torch.int64) for k, s in zip(keys, sizes)])
    size = size.to(key.device)
    kept = torch.zeros_like(key, dtype=torch.bool)
    while order.numel():
        total = size[order].cumsum(0)
        fits = int((total <= budget).sum())  # the totals rise
        kept[order[:fits]] = True
        budget -= int(total[fits - 1]) if fits else 0
        if fits == order.numel():
            break
        too_large = int(size[order[fits]])
        order = order[fits:]
        order = order[size[order] < too_large]
    return kept
