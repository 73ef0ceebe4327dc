"""The depthwise kernel against the definition of a layer: sizes, strides, padding, layouts."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.compiler import relative_error
from bcr.emulate import Emulator
from loops_harness import Layer, check, compile_layers, pack_blocks, pack_whole, pitched

# Masked loads at the edges of an image, and loads with shuffles.
SCHEDULES = {
    "w7": "depthwise, height = 7, vectors = 1, lanes = 16",
    "w4": "depthwise, height = 4, vectors = 1, lanes = 16",
    "m5": "depthwise, height = 5, vectors = 1, lanes = 8",
    "n8": "depthwise, height = 8, vectors = 1, lanes = 4",
    "n3": "depthwise, height = 3, vectors = 1, lanes = 4",
    "n5x2": "depthwise, height = 5, vectors = 2, lanes = 4",
    "w3x2": "depthwise, height = 3, vectors = 2, lanes = 16",
    "s2": "depthwise, height = 2, vectors = 1, lanes = 1",
}


def make_layers() -> list[Layer]:
    """What networks have, and what goes wrong: edges wider than a vector, images below one."""
    rng = np.random.default_rng(11)
    layers: list[Layer] = []
    pad1 = (1, 1, 1, 1)
    for tag, schedule in SCHEDULES.items():

        def add(
            name: str,
            image: tuple[int, int, int],
            multiplier: int = 1,
            tag: str = tag,
            schedule: str = schedule,
            **options: object,
        ) -> Layer:
            options = {"batch": 1, "kernel": (3, 3), "groups": image[0], **options}
            taps = int(np.prod(options["kernel"]))  # type: ignore[call-overload]
            weight = rng.standard_normal((image[0] * multiplier, taps)).astype(np.float32)
            packed = pack_whole(weight)
            layer = Layer(f"{name}_{tag}", packed, schedule=schedule, image=image, **options)  # type: ignore[arg-type]
            layers.append(layer)
            return layer

        for size in (1, 2, 3, 4, 7, 14, 16, 17, 35):
            name = f"same{size}"
            add(name, (3, size, size + 1), padding=pad1, activation="relu6")
            add(f"{name}_s2", (2, size + 1, size), padding=pad1, strides=(2, 2), batch=3)
        add("tall", (2, 40, 50), padding=pad1, residual=True, activation="relu", dynamic=True)
        add("tall_s2", (2, 41, 77), padding=pad1, strides=(2, 2), residual=True, batch=2)
        add("valid", (2, 19, 38), bias=False)
        add("valid_s2", (2, 19, 70), strides=(2, 2))
        add("lopsided", (2, 12, 20), padding=(0, 2, 1, 0))
        add("lopsided_s2", (2, 12, 21), padding=(0, 0, 1, 1), strides=(2, 2))
        add("wide_padding", (2, 3, 2), padding=(4, 6, 3, 19))
        add("five", (2, 14, 18), kernel=(5, 5), padding=(2, 2, 2, 2))
        add("five_s2", (2, 14, 37), kernel=(5, 5), padding=(2, 2, 2, 2), strides=(2, 2))
        add("seven", (2, 20, 40), kernel=(7, 7), padding=(3, 3, 3, 3), residual=True)
        add("seven_s2", (2, 9, 9), kernel=(7, 7), padding=(3, 3, 3, 3), strides=(2, 2))
        add("one_by_three", (3, 1, 40), kernel=(1, 3), padding=(0, 1, 0, 1))
        add("four_by_two", (3, 11, 24), kernel=(4, 2), padding=(1, 0, 2, 1), strides=(1, 2))
        add("dilated", (2, 20, 40), padding=(2, 3, 2, 3), dilations=(2, 3))
        add("dilated_s2", (2, 20, 41), padding=(2, 2, 2, 2), dilations=(2, 2), strides=(2, 2))
        add("rows_s3", (2, 20, 18), padding=pad1, strides=(3, 1))
        add("columns_s3", (2, 20, 18), padding=pad1, strides=(1, 3))
        add("multiplied", (3, 9, 20), multiplier=2, padding=pad1)
        gaps = add("gaps", (2, 9, 18), residual=True, batch=2, padding=pad1)
        pitched(gaps, "input", gaps.input_shape(), 1)
        pitched(gaps, "residual", gaps.output_shape(), 2)
        pitched(gaps, "out", gaps.output_shape(), 4)
        zeros = add("zero_gaps", (2, 9, 17), residual=True, batch=2, padding=pad1, gaps="zero")
        pitched(zeros, "out", zeros.output_shape(), 3)
        strides = add("any_stride", (3, 6, 8), padding=pad1, batch=2)
        strides.layouts["input"] = "strided<[?, ?, ?, ?], offset: ?>"
        pruned = add("pruned", (6, 9, 9), padding=pad1)
        pruned.packed = pack_blocks(rng, 6, 9, (2, 9), 0.5, rows_too=True)
    return layers


LAYERS = make_layers()


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[ctypes.CDLL]:
    """The layers compiled for one thread and for two."""
    folder: Path = tmp_path_factory.mktemp("depthwise")
    return [compile_layers(LAYERS, folder, threads=threads) for threads in (1, 2)]


def make_input(layer: Layer) -> np.ndarray:
    """Distinct values."""
    rng = np.random.default_rng(layer.input_shape())
    return rng.standard_normal(layer.input_shape()).astype(np.float32)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_layer(libraries: list[ctypes.CDLL], layer: Layer) -> None:
    check(libraries, layer, make_input(layer))


@pytest.mark.parametrize(
    "layer", [layer for layer in LAYERS if not layer.activation], ids=lambda layer: layer.name
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_infinities_stay_where_they_are(libraries: list[ctypes.CDLL], layer: Layer) -> None:
    """Inf and NaN at the edges reach the outputs whose taps meet them, and no other."""
    x = make_input(layer)
    x[..., 0] = np.inf
    x[..., -1, -1] = np.nan
    check(libraries, layer, x)


class Depthwise(nn.Module):
    """What AArch64 has code of its own for: each on images with and without a loop over columns."""

    def __init__(self) -> None:
        super().__init__()
        shapes = [
            (3, 1, 1, 1),
            (3, 2, 1, 1),
            (3, 2, 0, 1),
            (5, 2, 2, 1),
            (3, 2, 2, 2),
            (2, 2, 0, 1),
        ]
        self.convs = nn.ModuleList(
            nn.Conv2d(3, 3, kernel, stride, padding, dilation, groups=3)
            for kernel, stride, padding, dilation in shapes
        )

    def forward(self, *images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(
            nn.functional.relu6(conv(x)) if number % 2 else conv(x)
            for x in images
            for number, conv in enumerate(self.convs)
        )


def test_aarch64() -> None:
    """Loads by rows of hidden addresses and weights by element, run under QEMU."""
    torch.manual_seed(5)
    model = Depthwise().eval()
    images = tuple(torch.randn(1, 3, *size) for size in ((23, 57), (9, 7)))
    target = bcr.Target("aarch64-linux-gnu", "cortex-a76")
    exe = bcr.compile(model, images, target=target, sparsity="off")
    kernels = {str(layer["kernel"]) for layer in exe.program.layers.values()}
    assert {"depthwise 8x2x4", "depthwise 4x1x4"} <= kernels
    with Emulator(exe) as run, torch.no_grad():
        for expected, output in zip(
            model(*images), run(*[image.numpy() for image in images]), strict=True
        ):
            assert relative_error(output, expected.numpy()) < 1e-6
