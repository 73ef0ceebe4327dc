"""Choosing one option for each layer so that the sum of losses is least under a bound on costs.

This is the multiple-choice knapsack problem. Layers are added one by one to the list of partial
sums that no other one beats in both cost and loss (Nemhauser and Ullmann, "Discrete Dynamic
Programming and Capital Allocation", 1969), so the answer is exact and comes for all bounds at once:
the Pareto front. The list can grow with every layer; above `limit` partial sums the cost axis is
cut into `limit` equal intervals and the least loss in each is kept. Then sums stay exact, only some
combinations are lost.

A library for integer programs (HiGHS) solves one bound at a time, and needs SciPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LIMIT = 1 << 14


@dataclass(frozen=True)
class Front:
    """The combinations that no other one beats in both cost and loss.

    Attributes:
        costs: float64 [points], rising.
        losses: float64 [points], falling.
        picks: int64 [points, layers], the option of each layer.
    """

    costs: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    picks: npt.NDArray[np.int64]

    def within(self, bound: float) -> int | None:
        """Return the point of least loss that costs at most `bound`; None if there is none."""
        # Sums of floats: a bound that was computed from the same numbers must admit them.
        admitted = int(np.searchsorted(self.costs, bound * (1 + 1e-12), side="right"))
        return admitted - 1 if admitted else None


def pareto_front(
    costs: Sequence[npt.ArrayLike], losses: Sequence[npt.ArrayLike], limit: int = LIMIT
) -> Front:
    """Return the front of all combinations.

    Args:
        costs, losses: for each layer, its options' costs and losses; finite.
        limit: most partial sums that are kept between two layers.
    """
    total, loss = np.zeros(1), np.zeros(1)
    steps: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for layer_costs, layer_losses in zip(costs, losses, strict=True):
        c, v = np.asarray(layer_costs, np.float64), np.asarray(layer_losses, np.float64)
        sums, harm = (total[:, None] + c).ravel(), (loss[:, None] + v).ravel()
        kept = _undominated(sums, harm)
        if len(kept) > limit:
            kept = kept[_thinned(sums[kept], limit)]
        total, loss = sums[kept], harm[kept]
        steps.append((kept // len(c), kept % len(c)))
    picks = np.empty((len(total), len(steps)), np.int64)
    place = np.arange(len(total))
    for index in reversed(range(len(steps))):
        before, option = steps[index]
        picks[:, index] = option[place]
        place = before[place]
    return Front(total, loss, picks)


def _undominated(
    costs: npt.NDArray[np.float64], losses: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Return the places of the points that no other one beats, by rising cost."""
    order = np.lexsort((losses, costs))
    ordered = losses[order]
    best_before = np.concatenate(([np.inf], np.minimum.accumulate(ordered)[:-1]))
    return order[ordered < best_before]


def _thinned(costs: npt.NDArray[np.float64], limit: int) -> npt.NDArray[np.int64]:
    """Of points by rising cost and falling loss, return the last one in each interval of cost, and
    the first of all, so that what is possible stays possible."""
    width = (costs[-1] - costs[0]) / limit
    interval = np.floor((costs - costs[0]) / width)
    last = np.flatnonzero(np.append(np.diff(interval) > 0, True))
    return last if last[0] == 0 else np.insert(last, 0, 0)
