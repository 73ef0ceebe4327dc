"""Whole networks, dense and pruned in many block shapes, against PyTorch.

`tools/networks` runs all combinations; here is a slice of them that fits into a test run.
"""

from __future__ import annotations

import pytest

import bcr
import networks
from bcr.emulate import Emulator
from conftest import AARCH64

SLICE = [
    ("vgg16", "8x64"),
    ("resnet18", "dense"),
    ("resnet50", "8x64"),
    ("mobilenet_v2", "4x16"),
    *((name, "4x16") for name in networks.SMALL),
    *(("resnet18_cifar", block) for block in networks.BLOCKS),
    ("mobilenet_v2_cifar", "16x9"),
    ("vgg16_cifar", "dense"),
]


@pytest.mark.parametrize(("name", "block"), sorted(set(SLICE)))
def test_network(name, block):
    result = networks.check(name, block)
    assert result.error < 1e-4
    assert block == "dense" or result.picked > 0


def test_whole_network_as_an_aarch64_program():
    model, args, expected = networks.build("resnet18_cifar", "8x64")
    exe = bcr.compile(model, args, target=bcr.Target("aarch64-linux-gnu", "cortex-a76"))
    with Emulator(exe, AARCH64) as run:
        assert networks.relative_error(run(*(a.numpy() for a in args))[0], expected.numpy()) < 1e-4
