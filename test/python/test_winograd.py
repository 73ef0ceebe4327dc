"""Winograd's kernel against the definition of a layer: sizes, padding, layouts, threads."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.emulate import Emulator
from conftest import AARCH64
from loops_harness import Layer, check, compile_layers, pack_blocks, pack_whole, pitched

# Bands that divide the rows of tiles and that do not; more vectors than a band has.
SCHEDULES = {
    "w8x3": "winograd, height = 8, vectors = 3, lanes = 16",
    "w8x2": "winograd, height = 8, vectors = 2, lanes = 16, band = 8",
    "m4x1": "winograd, height = 4, vectors = 1, lanes = 8, band = 4",
    "n8x2": "winograd, height = 8, vectors = 2, lanes = 4, band = 12",
    "n3x5": "winograd, height = 3, vectors = 5, lanes = 4",
    "s2x1": "winograd, height = 2, vectors = 1, lanes = 1, band = 8",
}


def make_layers() -> list[Layer]:
    """Images around the size of a tile and of a vector of tiles; every kind of padding."""
    rng = np.random.default_rng(17)
    layers: list[Layer] = []
    pad1 = (1, 1, 1, 1)
    for tag, schedule in SCHEDULES.items():

        def add(
            name: str,
            image: tuple[int, int, int],
            rows: int = 8,
            tag: str = tag,
            schedule: str = schedule,
            **options: object,
        ) -> Layer:
            options = {"batch": 1, "kernel": (3, 3), **options}
            weight = rng.standard_normal((rows, image[0] * 9)).astype(np.float32)
            layer = Layer(
                f"{name}_{tag}", pack_whole(weight), schedule=schedule, image=image, **options
            )  # type: ignore[arg-type]
            layers.append(layer)
            return layer

        for size in (1, 2, 3, 4, 5, 7, 14, 17):
            add(f"same{size}", (3, size, size + 1), 5, padding=pad1, activation="relu")
        add("rows_in_blocks", (5, 20, 9), 19, padding=pad1, batch=2)
        add("wide", (2, 9, 70), 3, padding=pad1)
        add(
            "channels", (33, 13, 12), 17, padding=pad1, residual=True, activation="leaky_relu, 0.25"
        )
        add("valid", (3, 13, 19), 9, bias=False)
        add("valid_whole", (2, 14, 18), 8)
        add("two", (3, 10, 11), 4, padding=(2, 2, 2, 2))
        add("lopsided", (3, 10, 12), 4, padding=(0, 2, 1, 0))
        add("wide_padding", (2, 3, 2), 4, padding=(7, 6, 3, 19))
        add("dynamic", (3, 8, 9), 8, padding=pad1, batch=3, dynamic=True, residual=True)
        gaps = add("gaps", (2, 9, 18), 8, residual=True, batch=2, padding=pad1)
        pitched(gaps, "input", gaps.input_shape(), 1)
        pitched(gaps, "residual", gaps.output_shape(), 2)
        pitched(gaps, "out", gaps.output_shape(), 4)
        zeros = add("zero_gaps", (2, 9, 17), 5, batch=2, padding=pad1, gaps="zero")
        pitched(zeros, "out", zeros.output_shape(), 3)
        strides = add("any_stride", (3, 6, 8), padding=pad1, batch=2)
        strides.layouts["input"] = "strided<[?, ?, ?, ?], offset: ?>"
        pruned = add("pruned", (4, 9, 9), 6, padding=pad1)
        pruned.packed = pack_blocks(rng, 6, 36, (2, 9), 0.5, rows_too=True)
    return layers


LAYERS = make_layers()


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[ctypes.CDLL]:
    """The layers compiled for one thread and for three."""
    folder: Path = tmp_path_factory.mktemp("winograd")
    return [compile_layers(LAYERS, folder, threads=threads) for threads in (1, 3)]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_layer(libraries: list[ctypes.CDLL], layer: Layer) -> None:
    rng = np.random.default_rng(layer.input_shape())
    x = rng.standard_normal(layer.input_shape()).astype(np.float32)
    check(libraries, layer, x)


def convolution(channels: int, rows: int, side: int) -> tuple[nn.Module, torch.Tensor]:
    """A layer, and an input as it comes out of a ReLU."""
    torch.manual_seed(channels)
    layer = nn.Conv2d(channels, rows, 3, padding=1).eval()
    return layer, torch.randn(1, channels, side, side + 1).relu()


def error(actual: np.ndarray, layer: nn.Module, x: torch.Tensor) -> float:
    """Largest difference from float64 by the largest output."""
    with torch.no_grad():
        expected = layer.double()(x.double()).numpy()
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("threads", [1, 2])
def test_model_chooses_it_for_dense_layers_and_it_is_exact_enough(threads: int) -> None:
    layer, x = convolution(512, 32, 27)
    exe = bcr.compile(layer, (x,), num_threads=threads)
    report = exe.report().layers[0]
    assert report.kernel.startswith("winograd")
    assert report.value_bytes == 4 * report.dense_bytes
    assert error(exe(x).numpy(), layer, x) < 1e-5


def test_sparse_layer_has_to_beat_it() -> None:
    """At a rate at which sparse code would be faster than a direct convolution."""
    layer, x = convolution(128, 128, 28)
    bcr.Pruner(layer, bcr.PruneConfig(rate=2, block=(8, 64), scheme="columns")).finalize()
    report = bcr.compile(layer, (x,)).report().layers[0]
    assert report.kernel.startswith("winograd")
    assert "as fast as dense" in report.reason


def test_aarch64() -> None:
    layer, x = convolution(24, 20, 13)
    exe = bcr.compile(layer, (x,), target=bcr.Target("aarch64-linux-gnu", "cortex-a76"))
    assert exe.report().layers[0].kernel.startswith("winograd")
    with Emulator(exe, AARCH64) as run:
        assert error(run(x.numpy())[0], layer, x) < 3e-6
