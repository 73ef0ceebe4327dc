"""What is trained: a network, and one point of a curve of accuracy against rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """How one network is pruned.

    Attributes:
        curve: the name in tables and pictures.
        rate: weights over kept weights, in the layers that are pruned.
        scheme: as `bcr.PruneConfig` takes it; empty to train the dense network on for as long as
            the others are pruned and retrained.
        block: for the schemes that have blocks.
        ranking: in place of that of the network's plan.
    """

    curve: str
    rate: float
    scheme: str = ""
    block: tuple[int, int] | None = None
    ranking: str | None = None


DENSE = Point("dense", 1)
UNSTRUCTURED = "unstructured"
FILTERS = ("filter", "filter, by layer")
"""Filters that compete for the budget of the network, and those of each layer for the layer's:
competition can empty a layer, so BCR is compared with the better of the two."""


def bcr(block: tuple[int, int], rates: Iterable[float]) -> list[Point]:
    """Return the points of BCR pruning with one block size."""
    name = f"BCR {block[0]}x{block[1]}"
    return [Point(name, rate, "both", block) for rate in rates]


def plain(scheme: str, rates: Iterable[float]) -> list[Point]:
    """Return the points of a scheme without blocks."""
    return [Point(scheme, rate, scheme) for rate in rates]


def filters_by_layer(rates: Iterable[float]) -> list[Point]:
    """Return the points of filter pruning where each layer keeps its share of the filters."""
    return [Point(FILTERS[1], rate, "filter", ranking="layer") for rate in rates]


def n_of_m(rates: Iterable[float]) -> list[Point]:
    """Return the points of N:M pruning, which has some of the rates only."""
    schemes = {2: "2:4", 4: "1:4", 8: "1:8", 16: "1:16"}
    return [Point("N:M", rate, schemes[int(rate)]) for rate in rates if rate in schemes]


def pattern(rates: Iterable[float]) -> list[Point]:
    """Return the points of pattern pruning: from 4 of 9 weights on, whole kernels go as well."""
    return [Point("pattern", rate, "pattern") for rate in rates if rate >= 9 / 4]
