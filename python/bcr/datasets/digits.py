"""Handwritten digits: those that scikit-learn installs."""

from __future__ import annotations

import numpy as np

from bcr.datasets.dataset import Dataset, Split
from bcr.errors import ConfigError

SIDE = 32


def load_digits(*, seed: int = 0, test_share: float = 0.25) -> Dataset:
    """Return the 1 797 digits of 8x8 pixels, scaled up to 32x32 between pixels linearly.

    Inputs are uint8 [N, 32, 32], 0 is the background. Which digits are held out depends on the
    seed; every class is held out alike. Who wrote a digit is not known: sources are empty.

    Args:
        seed: of the split.
        test_share: part of the digits to hold out, between 0 and 1.

    Raises:
        ConfigError: scikit-learn is missing, or the share leaves a split without some class.
    """
    try:
        from sklearn import datasets
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise ConfigError(
            "the digits come with scikit-learn, which is not installed: pip install scikit-learn"
        ) from None
    if not 0 < test_share < 1:
        raise ConfigError(f"test_share is {test_share!r}: give a number between 0 and 1")
    raw = datasets.load_digits()
    labels = raw.target.astype(np.int64)
    try:
        train, test = train_test_split(
            np.arange(len(labels)), test_size=test_share, random_state=seed, stratify=labels
        )
    except ValueError as error:
        raise ConfigError(f"test_share is {test_share!r}: {error}") from None
    images = _enlarge(raw.images)

    def split(chosen: np.ndarray) -> Split:
        return Split(images[chosen], labels[chosen], np.full(len(chosen), ""))

    return Dataset("digits", tuple("0123456789"), split(train), split(test))


def _enlarge(images: np.ndarray) -> np.ndarray:
    """Scale [N, 8, 8] with values to 16 to uint8 [N, 32, 32], pixel centres aligned."""
    side = images.shape[1]
    centres = (np.arange(SIDE) + 0.5) * side / SIDE - 0.5
    below = np.clip(np.floor(centres).astype(int), 0, side - 1)
    above = np.minimum(below + 1, side - 1)
    share = np.clip(centres - below, 0, 1)
    weights = np.zeros((SIDE, side))
    np.add.at(weights, (np.arange(SIDE), below), 1 - share)
    np.add.at(weights, (np.arange(SIDE), above), share)
    large = np.einsum("ir,nrc,jc->nij", weights, images, weights)
    pixels: np.ndarray = np.rint(large * (255 / 16)).astype(np.uint8)
    return pixels
