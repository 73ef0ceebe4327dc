"""The C programs for OpenCL and Vulkan: they build without a warning and compute the same."""

from __future__ import annotations

import os
import subprocess

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.opencl.driver import pip_runtime
from conftest import make_net, prune

FLAGS = "-std=c99 -Wall -Wextra -Werror -pedantic"


@pytest.fixture(params=["opencl", "vulkan"])
def target(request):
    return request.param


def environment(**changes):
    """Where the program finds the devices that Python does."""
    # The runtime of pip is announced to no loader.
    return {**os.environ, "OCL_ICD_VENDORS": str(pip_runtime()), **changes}


def run_program(folder, *arrays, **changes):
    """Build the program and run it on arrays; return what it printed and wrote."""
    configure = ["cmake", "-S", ".", "-B", "build", f"-DCMAKE_C_FLAGS={FLAGS}"]
    for command in (configure, ["cmake", "--build", "build"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    names = []
    for i, array in enumerate(arrays):
        (folder / f"x{i}").write_bytes(np.ascontiguousarray(array).tobytes())
        names.append(f"x{i}")
    return subprocess.run(
        ["build/main", *names, "y0"],
        cwd=folder,
        env=environment(**changes),
        capture_output=True,
        text=True,
    )


def test_c_program(target, tmp_path):
    net = prune(make_net(), modules={"stem": None, "depthwise": None, "head": {"block": (4, 5)}})
    x = torch.randn(2, 3, 9, 11)
    exe = bcr.compile(net, (x,), target=target, sparsity="force")
    folder = tmp_path / "out"
    names = [file.name for file in exe.export(folder, name="small_net")]
    assert names == [
        "small_net.spv",
        "small_net.weights",
        "small_net.h",
        "small_net.c",
        "small_net_data.S",
        "main.c",
        "CMakeLists.txt",
    ]
    done = run_program(folder, x.numpy())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("output0:")
    y = np.fromfile(folder / "y0", np.float32).reshape(2, 11)
    assert np.array_equal(y, exe(x.numpy()))


def test_loops_and_checks_of_a_loaded_model(target, tmp_path):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 12)
            self.cell = nn.GRU(12, 16, batch_first=True)

        def forward(self, words):
            return self.cell(self.table(words))[0]

    torch.manual_seed(5)
    words = torch.tensor([[1, 9, 4, 0, 7], [3, 3, 8, 2, 6]])
    bcr.compile(Net().eval(), (words,), target=target).save(tmp_path / "net.bcr")
    loaded = bcr.load(tmp_path / "net.bcr")
    folder = tmp_path / "out"
    loaded.export(folder)
    done = run_program(folder, words.numpy())
    assert done.returncode == 0, done.stderr
    y = np.fromfile(folder / "y0", np.float32).reshape(2, 5, 16)
    assert np.array_equal(y, loaded(words.numpy()))
    (folder / "x0").write_bytes((words + 1).numpy().tobytes())
    done = subprocess.run(["build/main", "x0"], cwd=folder, env=environment(), capture_output=True)
    assert done.returncode == 1
    assert b"check 1 failed: index" in done.stderr


def test_c_program_without_a_device(target, tmp_path):
    exe = bcr.compile(nn.Linear(5, 3).eval(), (torch.randn(2, 5),), target=target)
    folder = tmp_path / "out"
    exe.export(folder)
    nowhere = {"opencl": "OCL_ICD_VENDORS", "vulkan": "VK_ICD_FILENAMES"}[target]
    done = run_program(folder, np.zeros((2, 5), np.float32), **{nowhere: str(tmp_path)})
    assert done.returncode == 1
    assert {"opencl": "no OpenCL device", "vulkan": "vkCreateInstance"}[target] in done.stderr


def test_name_must_be_an_identifier(tmp_path):
    exe = bcr.compile(nn.Linear(5, 3).eval(), (torch.randn(2, 5),), target="opencl")
    with pytest.raises(bcr.ConfigError, match="C identifier"):
        exe.export(tmp_path / "out", name="a-b")
    with pytest.raises(bcr.ConfigError, match="that of the example program"):
        exe.export(tmp_path / "out", name="main")
    assert not (tmp_path / "out").exists()


def test_memory_of_its_own(tmp_path):
    net = prune(make_net(), modules={"stem": None, "depthwise": None, "head": {"block": (4, 5)}})
    x = torch.randn(1, 3, 9, 11)
    exe = bcr.compile(net, (x,), target="vulkan", sparsity="force")
    folder = tmp_path / "out"
    exe.export(folder, name="net")
    source = folder / "net.c"
    # The device here has no memory but the host's: what is for cards with their own runs as well.
    card, this = "TYPE_DISCRETE_GPU;\n}", "TYPE_CPU;\n}"
    assert source.read_text().count(card) == 1
    source.write_text(source.read_text().replace(card, this))
    assert run_program(folder, x.numpy()).returncode == 0
    assert np.array_equal(np.fromfile(folder / "y0", np.float32).reshape(1, 11), exe(x.numpy()))
