"""The studies: digits, glyphs, words."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from bcr.datasets import Dataset, load_digits, load_glyphs, load_words
from bcr.datasets.words import WORDS
from studies import networks, points
from studies.points import Point
from studies.study import Network, Plan, Study

RATES = (2, 4, 8, 16, 32)
STACK = 4
"""Frames of 10 ms that a word network takes at once (Sak et al., 2015, "Fast and accurate recurrent
neural network acoustic models for speech recognition", section 5)."""


def _convolutions(model: nn.Module) -> nn.ModuleDict:
    """Convolutions but the first layer, shortcuts and those that filter each channel alone."""
    return nn.ModuleDict(
        {
            name.replace(".", "_"): module
            for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d)
            and module.groups == 1
            and not name.startswith("stem")
            and "shortcut" not in name
        }
    )


def _gates(model: nn.Module) -> nn.ModuleDict:
    """The recurrent layers, whose matrices `bcr.Pruner` takes one by one."""
    return nn.ModuleDict({"gru": model.get_submodule("gru")})


def _images(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return data.train.inputs[:, None], data.test.inputs[:, None]


def _pixels(x: Tensor) -> Tensor:
    return (x.float() / 128 - 0.5).contiguous(memory_format=torch.channels_last)


def _frames(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Normalise by the bands' mean and deviation in training, and stack frames."""
    train, test = data.train.inputs, data.test.inputs
    mean, deviation = train.mean((0, 1)), train.std((0, 1))
    whole = train.shape[1] // STACK * STACK

    def stacked(x: np.ndarray) -> np.ndarray:
        return ((x - mean) / deviation)[:, :whole].reshape(len(x), -1, STACK * x.shape[2])

    return stacked(train), stacked(test)


def _curves(
    blocks: tuple[tuple[int, int], ...],
    rates: tuple[float, ...],
    *,
    patterns: bool,
    by_layer: bool = True,
) -> tuple[Point, ...]:
    """Return the points of a network; competing for a budget empties no layer of a GRU."""
    found = [points.DENSE]
    for block in blocks:
        found += points.bcr(block, rates)
    found += points.plain(points.UNSTRUCTURED, rates) + points.plain(points.FILTERS[0], rates)
    if by_layer:
        found += points.filters_by_layer(rates)
    found += points.n_of_m(rates)
    if patterns:
        found += points.pattern(rates)
    return tuple(found)


_ADMM = {"rho": 1e-2, "rho_growth": 1.25, "rho_max": 1.0}

_DIGITS_PLAN = Plan(
    16, 8, 10, 64, "sgd", 0.1, 0.05, options=_ADMM, ranking="network", distillation=0.5, bf16=True,
)  # fmt: skip

_DIGITS = Study(
    name="digits",
    title="Handwritten digits (scikit-learn), small CNN",
    unit="image",
    networks=(
        Network(
            "SmallCNN",
            lambda: networks.SmallCNN(10),
            _convolutions,
            _curves(((4, 8), (8, 36), (16, 72)), RATES, patterns=True),
            _DIGITS_PLAN,
            (1, 32, 32),
        ),
    ),
    load=lambda seed, quick: load_digits(seed=seed, test_share=0.8 if quick else 0.25),
    prepare=_images,
    feed=_pixels,
)

_GLYPHS_PLAN = Plan(
    14, 6, 12, 128, "sgd", 0.15, 0.08, options=_ADMM, ranking="network", distillation=0.5,
    bf16=True,
)  # fmt: skip

_GLYPHS = Study(
    name="glyphs",
    title="Glyphs of Debian's fonts, 62 classes, held-out families of fonts",
    unit="image",
    networks=(
        Network(
            "ResNet",
            lambda: networks.SmallResNet(62),
            _convolutions,
            _curves(((4, 8), (8, 36)), RATES, patterns=True),
            _GLYPHS_PLAN,
            (1, 32, 32),
        ),
        Network(
            "MobileNet",
            lambda: networks.SmallMobileNet(62),
            _convolutions,
            _curves(((4, 8), (8, 16)), RATES, patterns=False),
            _GLYPHS_PLAN,
            (1, 32, 32),
        ),
    ),
    load=lambda seed, quick: load_glyphs(
        seed=seed, faces_per_family=1 if quick else 2, test_variants=1 if quick else 2
    ),
    prepare=_images,
    feed=_pixels,
)

_WORDS_PLAN = Plan(
    8, 6, 18, 128, "adam", 4e-3, 4e-3, options={"rho": 1e-3, "rho_growth": 1.25, "rho_max": 0.1},
    ranking="network", shift=3, decay=1e-3, masked=(10, 4), distillation=0.5, bf16=True,
)  # fmt: skip

_WORDS = Study(
    name="words",
    title=f"{len(WORDS)} words by espeak-ng, held-out voices, GRU 2x256",
    unit="word",
    networks=(
        Network(
            "GRU",
            lambda: networks.WordGRU(len(WORDS), 40 * STACK, 256),
            _gates,
            _curves(((4, 8), (8, 32)), (2, 4, 8, 10, 16, 32), patterns=False, by_layer=False),
            _WORDS_PLAN,
            (98 // STACK, 40 * STACK),
        ),
    ),
    load=lambda seed, quick: load_words(
        seed=seed,
        takes=1 if quick else 6,
        test_takes=1 if quick else 12,
        voices=4 if quick else None,
    ),
    prepare=_frames,
    feed=lambda x: x,
)

STUDIES = {study.name: study for study in (_DIGITS, _GLYPHS, _WORDS)}
