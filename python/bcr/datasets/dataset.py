"""What every data set is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Split:
    """Examples for training, or those held out.

    Attributes:
        inputs: [N, ...], the function that made the data set says what.
        labels: int64 [N], indices into `Dataset.classes`.
        sources: str [N], where each example is from: the family of a font, a voice. No source is
            in both splits; empty strings where the origin is not known.
    """

    inputs: NDArray[np.generic]
    labels: NDArray[np.int64]
    sources: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Examples in two splits.

    Attributes:
        name: of the function that made it.
        classes: what the labels stand for.
        train, test: the splits.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    test: Split

    @classmethod
    def of(
        cls, name: str, classes: Sequence[str], arrays: Mapping[str, NDArray[np.generic]]
    ) -> Dataset:
        """Build a data set of `train.inputs`, `train.labels`, `train.sources` and those of test."""
        splits = (
            Split(*(arrays[f"{part}.{field}"] for field in ("inputs", "labels", "sources")))  # type: ignore[arg-type]
            for part in ("train", "test")
        )
        return cls(name, tuple(classes), *splits)
