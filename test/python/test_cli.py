"""The command `bcr`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from conftest import make_net, prune

CONFIG = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}


def bcr(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from bcr.cli import main; main()", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "model.pt2"
    model = prune(make_net(), **CONFIG)
    torch.export.save(torch.export.export(model, (torch.randn(1, 3, 9, 11),)), path)
    return path


def test_compile_inspect_bench(exported, tmp_path):
    output = tmp_path / "model.bcr"
    done = bcr("compile", exported, "-o", output)
    assert done.returncode == 0, done.stderr
    assert "body" in done.stdout
    assert str(output) in done.stdout
    done = bcr("inspect", output)
    assert done.returncode == 0, done.stderr
    for word in ("float32", "1x3x9x11", "body", "picked"):
        assert word in done.stdout
    done = bcr("bench", output, "--repeats", 5)
    assert done.returncode == 0, done.stderr
    for word in ("median", "body", "GFLOP/s", "Memory", "arena"):
        assert word in done.stdout


def test_compile_for_another_machine(exported, tmp_path):
    output = tmp_path / "arm.bcr"
    done = bcr("compile", exported, "--target", "aarch64", "--mcpu", "cortex-a76", "-o", output)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    shown = bcr("inspect", output).stdout
    assert "cortex-a76" in shown
    assert "fullfp16, dotprod" in shown
    done = bcr("bench", output)
    assert done.returncode == 1
    assert "cannot run on this" in done.stderr


def test_compile_for_opencl(exported, tmp_path):
    output = tmp_path / "gpu.bcr"
    done = bcr("compile", exported, "--target", "opencl", "--device", 99, "-o", output)
    assert done.returncode == 1
    assert "there is no OpenCL device 99; this machine has 0: " in done.stderr
    done = bcr("compile", exported, "--target", "opencl", "-o", output)
    assert done.returncode == 0, done.stderr
    assert "spirv64" in bcr("inspect", output).stdout
    done = bcr("bench", output, "--repeats", 2, "--device", 0)
    assert done.returncode == 0, done.stderr
    for word in ("median", "body", "GFLOP/s", "arena"):
        assert word in done.stdout


def test_compile_warns_of_a_generic_processor(exported, tmp_path):
    done = bcr("compile", exported, "--target", "aarch64", "-o", tmp_path / "arm.bcr")
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("bcr: warning: ")]
    assert len(warnings) == 1
    assert "--mcpu cortex-a76" in warnings[0]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["compile", "no.pt2", "-o", "x.bcr"], "no.pt2 does not exist"),
        (["compile", __file__, "-o", "x.bcr"], "no exported model"),
        (["inspect", "no.bcr"], "does not exist"),
        (["inspect", __file__], "not a .bcr file"),
        (["bench", __file__], "not a .bcr file"),
    ],
)
def test_errors_are_one_line(args, message):
    done = bcr(*args)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_compile_errors_leave_nothing(exported, tmp_path):
    for arguments, message in [
        (["-o", tmp_path / "no" / "x.bcr"], "does not exist"),
        (["-o", tmp_path / "x.bcr", "--mcpu", "cortex-a999", "--target", "aarch64"], "cortex-a999"),
        (["-o", tmp_path / "x.bcr", "--target", "riscv"], "unknown target"),
        (["-o", tmp_path / "x.bcr", "--sparsity", "maybe"], "auto, force, off"),
    ]:
        done = bcr("compile", exported, *arguments)
        assert done.returncode == 1
        assert message in done.stderr
    assert not list(tmp_path.iterdir())
