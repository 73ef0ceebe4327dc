"""Statistics of times: medians, quartiles, and ratios that a drift does not touch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


def pooled(rounds: Sequence[Sequence[float]]) -> Spread:
    """Summarise the times of all rounds together."""
    return Spread.of([time for times in rounds for time in times])


def ratio(numerator: Sequence[Sequence[float]], denominator: Sequence[Sequence[float]]) -> Spread:
    """Summarise, over the rounds, the ratio of the medians of two peers in the same round.

    Both stood next to each other in time, so what slows a round down slows down both.
    """
    return Spread.of(
        [statistics.median(a) / statistics.median(b) for a, b in zip(numerator, denominator)]
    )
