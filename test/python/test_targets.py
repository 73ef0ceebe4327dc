"""Machines that code is made for: names, detection, warnings."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

import bcr

PROCESSORS = {
    # name: extensions that it has, and some that it has not
    "cortex-a55": ({"fullfp16", "dotprod"}, {"sve", "bf16"}),
    "cortex-a76": ({"fullfp16", "dotprod"}, {"sve", "bf16", "i8mm"}),
    "neoverse-n1": ({"fullfp16", "dotprod"}, {"sve", "bf16", "i8mm"}),
    "neoverse-v1": ({"fullfp16", "dotprod", "bf16", "i8mm", "sve"}, {"sve2"}),
    "apple-m1": ({"fullfp16", "dotprod"}, {"sve", "bf16"}),
}


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()).eval()


@pytest.fixture
def x():
    return torch.randn(1, 3, 9, 11)


@pytest.mark.parametrize("name", PROCESSORS)
def test_named_processors(name):
    target = bcr.Target.of(name)
    has, lacks = PROCESSORS[name]
    assert target.architecture == "aarch64"
    assert target.cpu == name
    assert not target.is_generic
    assert has <= set(target.extensions)
    assert not lacks & set(target.extensions)


def test_features_add_and_remove_extensions():
    base = bcr.Target.of("neoverse-v1")
    assert "sve" not in bcr.Target(base.triple, base.cpu, "-sve").extensions
    assert "i8mm" in bcr.Target(base.triple, "cortex-a76", "+i8mm").extensions


def test_this_machine_is_detected():
    host = bcr.Target().resolve()
    assert host.triple
    assert host.cpu
    assert host.features
    assert not host.is_generic
    assert bcr.Target().extensions == host.extensions


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bcr.Target.of("cortex-a67"), 'did you mean "cortex-a76"'),
        (lambda: bcr.Target.of("riscv"), 'unknown target .*"host", "aarch64"'),
        (
            lambda: bcr.Target("aarch64-linux-gnu", "cortex-a67").resolve(),
            "unknown CPU 'cortex-a67'.*nearest.*cortex-a[67]",
        ),
        (
            lambda: bcr.Target("aarch64-linux-gnu", "cortex-a76", "+dotprot").resolve(),
            "unknown feature 'dotprot'.*nearest.*dotprod",
        ),
        (lambda: bcr.Target(cpu="cortex-a76", triple="x86_64-linux-gnu").extensions, "cortex-a76"),
    ],
)
def test_unknown_names_are_one_clear_error(make, message):
    with pytest.raises(bcr.ConfigError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "target", ["aarch64", bcr.Target("aarch64-linux-gnu"), bcr.Target("x86_64-linux-gnu", "x86-64")]
)
def test_generic_processors_are_warned_of(net, x, target):
    with pytest.warns(bcr.GenericTargetWarning, match="name it, such as bcr.Target") as caught:
        bcr.compile(net, (x,), target=target)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "target", ["host", "x86-64", "cortex-a76", bcr.Target("aarch64-linux-gnu", features="+sve")]
)
def test_known_processors_are_not_warned_of(net, x, target):
    with warnings.catch_warnings():
        warnings.simplefilter("error", bcr.BCRWarning)
        exe = bcr.compile(net, (x,), target=target)
    assert exe.program.options["extensions"] == list(bcr.Target.of(target).extensions)


def test_code_differs_between_processors(net, x):
    codes = {
        name: bcr.compile(net, (x,), target=name).program.code
        for name in ("cortex-a55", "cortex-a76", "apple-m1")
    }
    assert len(set(codes.values())) == len(codes)
