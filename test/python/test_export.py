"""The C library: it builds and runs, natively and as an AArch64 program under QEMU."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.compiler import relative_error
from bcr.emulate import Emulator
from conftest import make_net, prune

CONFIG = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}


@pytest.fixture(scope="module")
def net():
    return prune(make_net(), **CONFIG)


def test_c_program(net, tmp_path):
    x = torch.randn(1, 3, 9, 11)
    exe = bcr.compile(net, (x,))
    files = exe.export(tmp_path / "out", name="small_net")
    assert [f.name for f in files] == ["libsmall_net.so", "small_net.h", "main.c"]
    folder = tmp_path / "out"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wl,-rpath,$ORIGIN"]
    build = ["cc", *flags, "main.c", "-L.", "-lsmall_net", "-o", "main"]
    subprocess.run(build, cwd=folder, check=True)
    (folder / "x.bin").write_bytes(x.numpy().tobytes())
    done = subprocess.run(["./main", "x.bin", "y.bin"], cwd=folder, check=True, capture_output=True)
    y = np.frombuffer((folder / "y.bin").read_bytes(), np.float32).reshape(1, 11)
    assert np.array_equal(y, exe(x.numpy()))
    assert done.stdout.startswith(b"output0:")
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        ["libsmall_net.so", "small_net.h", "main.c", "main", "x.bin", "y.bin"]
    )
    symbols = subprocess.run(
        ["nm", "-D", "--defined-only", folder / "libsmall_net.so"], capture_output=True, text=True
    ).stdout.split()
    assert [s for s in symbols if s.isidentifier() and len(s) > 1] == [
        "small_net_message",
        "small_net_run",
    ]


def test_name_must_be_an_identifier(net, tmp_path):
    exe = bcr.compile(net, (torch.randn(1, 3, 9, 11),))
    for name in ("a-b", "1x", "../x", ""):
        with pytest.raises(bcr.ConfigError, match="C identifier"):
            exe.export(tmp_path, name=name or " ")
    assert not list(tmp_path.iterdir())


def test_loaded_model_says_that_it_cannot_be_exported(net, tmp_path):
    exe = bcr.compile(net, (torch.randn(1, 3, 9, 11),))
    exe.save(tmp_path / "net.bcr")
    with pytest.raises(bcr.UnsupportedError, match="compile it again"):
        bcr.load(tmp_path / "net.bcr").export(tmp_path / "out")


@pytest.mark.filterwarnings("ignore::bcr.GenericTargetWarning")
@pytest.mark.parametrize("cpu", ["generic", "cortex-a76", "cortex-a55"])
def test_aarch64_program(net, cpu):
    x = torch.randn(1, 3, 9, 11)
    exe = bcr.compile(net, (x,), target=bcr.Target("aarch64-linux-gnu", cpu), sparsity="force")
    with Emulator(exe) as run, torch.no_grad():
        assert relative_error(run(x.numpy())[0], net(x).numpy()) < 1e-5


def test_aarch64_dynamic_batch_and_checks():
    class Lookup(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 4)
            self.linear = nn.Linear(4, 3)

        def forward(self, i):
            return torch.tanh(self.linear(self.table(i)))

    torch.manual_seed(0)
    model = Lookup().eval()
    i = torch.tensor([1, 9, 0])
    shapes = ({0: torch.export.Dim("n", min=1, max=50)},)
    exe = bcr.compile(model, (i,), target="cortex-a76", dynamic_shapes=shapes)
    with Emulator(exe) as run, torch.no_grad():
        for value in (i, torch.arange(10)):
            assert relative_error(run(value.numpy())[0], model(value).numpy()) < 1e-5
        with pytest.raises(bcr.InputError, match="check . failed: index out of range"):
            run(np.array([0, 10]))
