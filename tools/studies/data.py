"""The data of a training: what it learns from, what choices are made by, and what is reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studies.study import Study

VALIDATION = 0.15
"""Part of the training examples, or of their sources, that no network is trained on."""


@dataclass(frozen=True)
class Part:
    """Examples.

    Attributes:
        inputs: [N, ...], see `Study.prepare`.
        labels: int64 [N].
    """

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """The data of one seed.

    Attributes:
        train: networks learn from these.
        validation: blocks and how to train are chosen by these.
        test: the accuracy of these is reported, and nothing is chosen by it.
    """

    train: Part
    validation: Part
    test: Part


def load(study: Study, seed: int, quick: bool) -> Data:
    """Make the data of a study; the sources of its three parts differ."""
    data = study.load(seed, quick)
    train, test = study.prepare(data)
    held = _held_out(data.train.sources, data.train.labels, seed)
    labels = data.train.labels
    return Data(_part(train[~held], labels[~held]), _part(train[held], labels[held]),
                _part(test, data.test.labels))  # fmt: skip


def _part(inputs: np.ndarray, labels: np.ndarray) -> Part:
    return Part(torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(labels))


def _held_out(sources: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Return which examples are for validation: of whole sources, of all classes if none is known.

    Args:
        sources: str [N], see `bcr.datasets.dataset.Split`.
        labels: int64 [N].
        seed: of the choice.
    """
    generator = np.random.default_rng(seed)
    known = np.unique(sources)
    if len(known) > 1:
        chosen = generator.permutation(known)[: max(1, round(VALIDATION * len(known)))]
        return np.isin(sources, chosen)
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        held[generator.permutation(own)[: max(1, round(VALIDATION * len(own)))]] = True
    return held
