"""Stages of a compilation: what `verbose` shows."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

import bcr
from bcr import _core
from bcr.progress import Stages


def test_verbose_shows_every_stage(capfd):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval()
    x = torch.randn(1, 3, 8, 8)
    bcr.compile(net, (x,), verify=True, verbose=True)
    table = capfd.readouterr().err
    shown = [line.split("  ")[0].strip() for line in table.splitlines()]
    wanted = ["import", "parse", *_core.stage_names()]
    wanted += ["LLVM: translate", "LLVM: optimize", "LLVM: generate"]
    wanted += ["pool of constants", "link", "verify", "total"]
    assert [name for name in shown if name in wanted] == wanted


def test_quiet_by_default(capfd):
    net = nn.Linear(3, 2).eval()
    bcr.compile(net, (torch.zeros(1, 3),))
    assert capfd.readouterr().err == ""


def test_stages_end_in_order_and_add_up():
    with Stages(False) as stages:
        stages.start("a")
        time.sleep(0.02)
        stages.start("b")
        stages.start("a")
    assert list(stages.times) == ["a", "b"]
    assert 0.02 <= stages.times["a"] < 5
    assert stages.times["b"] < 0.02


def test_a_stage_splits_into_parts():
    with Stages(False) as stages:
        stages.start("whole")
        time.sleep(0.02)
        stages.split({"one": 0.005, "two": 0.010})
    assert stages.times["one"] == 0.005
    assert stages.times["two"] == 0.010
    assert 0.005 <= stages.times["whole"] < 5


def test_an_error_names_its_stage(capfd):
    def work():
        with Stages(True) as stages:
            stages.start("first")
            stages.start("second")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    table = capfd.readouterr().err
    assert "first" in table
    assert "stopped by an error in second" in table
