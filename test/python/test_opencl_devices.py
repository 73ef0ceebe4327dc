"""The choice of an OpenCL device, and one clear error for each way in which there is none."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest
import torch

import bcr
from bcr.opencl import binaries, device, driver, network
from bcr.opencl.device import find_device


@pytest.fixture(scope="module")
def real():
    """The device of the runtime that pip installed."""
    (found,) = (d for d in bcr.opencl.devices() if d.spirv)
    return found


@pytest.fixture(scope="module")
def exe():
    model = torch.nn.Sequential(torch.nn.Linear(12, 7), torch.nn.ReLU()).eval()
    return bcr.compile(model, (torch.randn(2, 12),), target="opencl")


def pretend(monkeypatch, *devices):
    numbered = tuple(dataclasses.replace(d, index=i) for i, d in enumerate(devices))
    monkeypatch.setattr(device, "devices", lambda: numbered)


def again(exe, **options):
    """The same model, not yet on a device."""
    return bcr.executable.make_executable(exe.program, **options)


def test_the_only_device(real):
    assert find_device() == real
    assert find_device(real.index) == real
    assert find_device(real.name.lower()) == real
    assert find_device(real.name[1:5]) == real
    assert real.max_group >= 64
    assert real.alignment in (2**n for n in range(2, 13))
    assert max(real.spirv) >= (1, 2)


def test_choice_among_several(real, monkeypatch):
    blind = dataclasses.replace(real, name="Old GPU", spirv=())
    first, second = (dataclasses.replace(real, name=f"GPU {n}") for n in ("one", "two"))
    pretend(monkeypatch, blind, first)
    assert find_device().name == "GPU one"
    pretend(monkeypatch, blind, first, second)
    assert find_device(2).name == find_device("two").name == "GPU two"
    with pytest.raises(bcr.ConfigError, match="several OpenCL devices .1: GPU one, 2: GPU two"):
        find_device()
    with pytest.raises(bcr.ConfigError, match="no OpenCL device is named 'six'.*0: Old GPU, 1: "):
        find_device("six")
    with pytest.raises(bcr.ConfigError, match="several OpenCL devices are named 'gpu'"):
        find_device("gpu")
    with pytest.raises(bcr.ConfigError, match="no OpenCL device 3; this machine has"):
        find_device(3)
    with pytest.raises(bcr.ConfigError, match="a name or an index, got True"):
        find_device(True)
    with pytest.raises(bcr.DeviceError, match="Old GPU .* takes no SPIR-V"):
        find_device(0)
    pretend(monkeypatch, blind)
    with pytest.raises(bcr.DeviceError, match=r"no OpenCL device .* takes SPIR-V .0: Old GPU"):
        find_device()


def test_no_device(exe, monkeypatch):
    pretend(monkeypatch)
    with pytest.raises(bcr.DeviceError, match="finds no device: install the driver"):
        again(exe)(torch.randn(2, 12))


def test_compiling_needs_no_device(monkeypatch, tmp_path):
    pretend(monkeypatch)
    model = torch.nn.Sequential(torch.nn.Linear(12, 7)).eval()
    x = torch.randn(2, 12)
    bcr.compile(model, (x,), target="opencl").save(tmp_path / "model.bcr")
    with pytest.raises(bcr.DeviceError, match="no device"):
        bcr.compile(model, (x,), target="opencl", verify=True)
    with pytest.raises(bcr.DeviceError, match="no device"):
        bcr.compile(model, (x,), target="opencl", device=0)


def test_no_pyopencl(exe, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyopencl", None)
    with pytest.raises(bcr.DeviceError, match=r"pip install 'bcr\[opencl\]'"):
        again(exe)(torch.randn(2, 12))


def test_no_runtime_at_all(tmp_path):
    # A folder without runtimes; in a process of its own, as the loader looks once.
    code = "import bcr; print(bcr.opencl.devices()); bcr.opencl.find_device()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"OCL_ICD_VENDORS": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "()"
    assert "DeviceError: OpenCL finds no device" in done.stderr


def test_build_fails(real):
    # OpenCL C goes the same way in PyOpenCL; broken SPIR-V makes this driver end the process.
    with pytest.raises(bcr.DeviceError, match=r"does not build the kernels;(.*\n)+.*'y'"):
        binaries._build_spirv("kernel void k(global float *x) { x[0] = y; }", real)
    with pytest.raises(bcr.DeviceError, match="no SPIR-V module"):
        binaries.build(b"nothing of this kind", real)


def test_what_a_device_lacks(exe, real):
    spirv = exe.program.library
    assert spirv[:4] == b"\x03\x02\x23\x07"
    with pytest.raises(bcr.DeviceError, match="takes versions up to 0.9"):
        binaries.check_module(spirv, dataclasses.replace(real, spirv=((0, 9),)))
    doubles = torch.nn.Linear(6, 5).double().eval()
    program = bcr.compile(doubles, (torch.randn(2, 6).double(),), target="opencl").program
    binaries.check_module(program.library, real)
    with pytest.raises(bcr.DeviceError, match="double precision, which .* cannot"):
        binaries.check_module(program.library, dataclasses.replace(real, fp64=False))
    # What a module does not use is not asked for.
    binaries.check_module(spirv, dataclasses.replace(real, fp64=False, fp16=False))


def test_limits(exe, real):
    for change, message in [
        ({"max_group": 4}, "runs 4 work-items of a group at most"),
        ({"max_allocation": 100}, "too little memory"),
        ({"global_bytes": 100}, "too little memory"),
        (
            {"alignment": 100000},
            "at multiples of 100000 bytes.*compile the model again with device",
        ),
    ]:
        with pytest.raises(bcr.DeviceError, match=message):
            network.Network(exe.program, dataclasses.replace(real, **change))


def test_compiled_for_a_device_of_wide_alignment(real, monkeypatch):
    pretend(monkeypatch, dataclasses.replace(real, alignment=1024))
    model = torch.nn.Sequential(torch.nn.Linear(12, 7), torch.nn.ReLU(), torch.nn.Linear(7, 9))
    exe = bcr.compile(model.eval(), (torch.randn(2, 12),), target="opencl", verify=True)
    begins = {a.begin for step in exe.program.schedule for a in step.arguments}
    assert len(begins) > 2
    assert all(begin % 1024 == 0 for begin in begins)


def test_out_of_memory(exe, monkeypatch, real):
    cl = driver.load()
    # The device refuses; the limits that it told are kept.
    huge = dataclasses.replace(exe.program, arena=bcr.workspace.Arena(bytes=2**50))
    roomy = dataclasses.replace(real, max_allocation=2**60, global_bytes=2**60)
    argument = dataclasses.replace(huge.schedule[0].arguments[0], space="arena", begin=0)
    launch = dataclasses.replace(
        huge.schedule[0], arguments=(argument, *huge.schedule[0].arguments[1:])
    )
    huge = dataclasses.replace(huge, schedule=(launch,))
    with pytest.raises(bcr.DeviceError, match="ran out of memory when told to make room"):
        network.Session(network.Network(huge, roomy))
    with (
        pytest.raises(bcr.DeviceError, match="failed to run the model: .*INVALID_VALUE"),
        driver.explained(cl, "run the model", "a device"),
    ):
        cl.Buffer(real.context, cl.mem_flags.READ_WRITE, 4).get_sub_region(128, 64)


def test_command_lists_devices(real):
    command = [sys.executable, "-c", "from bcr.cli import main; main()", "devices"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert real.name in done.stdout
    assert "SPIR-V" in done.stdout
