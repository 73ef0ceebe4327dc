"""Models on a Vulkan device: calls, profiles, files, the choice of a device, what can go wrong.

The device is Mesa's for processors; `test_gpu_networks.py` compares whole networks.
"""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.compiler import relative_error
from bcr.errors import ConfigError, DeviceError, InputError, UnsupportedError
from bcr.launches import check_reach
from bcr.vulkan import device as device_module
from bcr.vulkan import driver, find_device
from bcr.vulkan.memory import Memory
from bcr.vulkan.network import Network
from bcr.vulkan.pipelines import PipelineCache
from conftest import make_net, prune


@pytest.fixture(scope="module")
def net():
    return prune(make_net(), modules={"stem": None, "depthwise": None, "head": {"block": (4, 5)}})


@pytest.fixture(scope="module")
def inputs():
    torch.manual_seed(3)
    return [torch.randn(2, 3, 9, 11) for _ in range(8)]


@pytest.fixture(scope="module")
def expected(net, inputs):
    with torch.no_grad():
        return [net(x) for x in inputs]


@pytest.fixture(scope="module")
def exe(net, inputs):
    return bcr.compile(net, (inputs[0],), target="vulkan", sparsity="force")


@pytest.fixture
def real():
    return find_device(0)


def test_a_call_does_not_see_the_one_before(exe, inputs, expected):
    results = [exe(x) for x in inputs]
    for got, want in zip(results, expected, strict=True):
        assert relative_error(got.numpy(), want.numpy()) < 1e-5
    assert isinstance(exe(inputs[0].numpy()), np.ndarray)


def test_threads_take_turns(exe, inputs, expected):
    errors = []

    def work(i):
        for _ in range(5):
            errors.append(relative_error(exe(inputs[i]).numpy(), expected[i].numpy()))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 5 * len(inputs)
    assert max(errors) < 1e-5


def test_profile_is_the_devices(exe, inputs):
    profile = exe.profile(inputs[0], repeats=3)
    rows = {row.name: row for row in profile.layers}
    assert {"stem", "depthwise", "body", "head"} <= set(rows)
    assert all(row.seconds > 0 for row in profile.layers)
    assert sum(row.seconds for row in profile.layers) < profile.total


def test_angles():
    class Angles(nn.Module):
        def forward(self, y, x):
            return torch.atan2(y, x), torch.atan(y)

    # All signs of zero, of infinity and of what is large, small and equal, with each other; NaN.
    ends = [0.0, 1e-15, 0.3, 1.0, 2.0, 1e15, float("inf")]
    values = torch.tensor([*ends, *(-end for end in ends), float("nan")])
    y, x = (part.reshape(-1) for part in torch.meshgrid(values, values, indexing="ij"))
    exe = bcr.compile(Angles().eval(), (y, x), target="vulkan")
    for got, want in zip(exe(y, x), Angles()(y.double(), x.double()), strict=True):
        torch.testing.assert_close(got.double(), want, rtol=1e-6, atol=0, equal_nan=True)
        numbers = ~want.isnan()
        assert (got.signbit() == want.signbit())[numbers].all()


def test_save_and_load(exe, inputs, tmp_path):
    exe.save(tmp_path / "model.bcr")
    loaded = bcr.load(tmp_path / "model.bcr", device=0)
    assert (loaded(inputs[0]) == exe(inputs[0])).all()
    assert "llvmpipe" in repr(loaded)


def test_streams_keep_their_own_state():
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(5, 8)

        def forward(self, x, h):
            h = self.cell(x, h)
            return h.sum(1), h

    torch.manual_seed(4)
    model, zero = Cell().eval(), torch.zeros(1, 8)
    frames = torch.randn(2, 6, 1, 5)
    exe = bcr.compile(model, (frames[0, 0], zero), target="vulkan")
    streams = [exe.stream({"h": 1}) for _ in range(2)]
    got = [[stream(frames[i, t]) for i, stream in enumerate(streams)] for t in range(6)]
    for i in range(2):
        h = zero
        for t in range(6):
            with torch.no_grad():
                want, h = model(frames[i, t], h)
            assert relative_error(got[t][i].numpy(), want.numpy()) < 1e-5


def test_wrong_inputs(exe):
    with pytest.raises(InputError, match="shape"):
        exe(torch.randn(1, 3, 9, 11))


def test_index_out_of_range():
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Embedding(10, 4)

        def forward(self, i):
            return self.rows(i)

    model, good = Table().eval(), torch.tensor([0, 9, 3])
    exe = bcr.compile(model, (good,), target="vulkan")
    with pytest.raises(InputError, match="index"):
        exe(torch.tensor([0, 10, 3]))
    # Its last 32 bits are an index.
    with pytest.raises(InputError, match="index"):
        exe(torch.tensor([0, 2**32 + 9, 3]))
    assert torch.equal(exe(good), model(good))


def test_a_model_without_kernels():
    class Same(nn.Module):
        def forward(self, x):
            return x

    x = torch.randn(3)
    assert torch.equal(bcr.compile(Same().eval(), (x,), target="vulkan")(x), x)


# --- the choice of a device ------------------------------------------------------------------


def test_choice_among_several(real, monkeypatch):
    present = (
        real,
        replace(real, index=1, name="Adreno 740", kind="integrated gpu"),
        replace(real, index=2, name="Adreno 660", kind="integrated gpu"),
    )
    monkeypatch.setattr(device_module, "devices", lambda: present)
    assert find_device() is present[1]
    assert find_device(2) is present[2]
    assert find_device("660") is present[2]
    with pytest.raises(ConfigError, match=r"several Vulkan devices are named 'adreno'.*1: Adreno"):
        find_device("adreno")
    with pytest.raises(ConfigError, match=r"no Vulkan device is named 'mali'"):
        find_device("mali")
    with pytest.raises(ConfigError, match="there is no Vulkan device 3"):
        find_device(3)


def test_a_device_is_named_for_a_processor(net, inputs):
    with pytest.raises(ConfigError, match='"vulkan"'):
        bcr.compile(net, (inputs[0],), device=0)


def test_no_device(monkeypatch):
    monkeypatch.setattr(device_module, "devices", lambda: ())
    with pytest.raises(DeviceError, match="mesa-vulkan-drivers"):
        find_device()


def test_compiling_needs_no_device(net, inputs, monkeypatch):
    monkeypatch.setattr(device_module, "devices", lambda: ())
    exe = bcr.compile(net, (inputs[0],), target="vulkan")
    assert exe.report().layers
    with pytest.raises(DeviceError, match="mesa-vulkan-drivers"):
        exe(inputs[0])


@pytest.mark.parametrize(
    ("error", "message"),
    [(ImportError("none"), r"bcr\[vulkan\]"), (OSError("libvulkan.so.1"), "apt install")],
)
def test_no_vulkan_at_all(monkeypatch, error, message):
    def refuse_module(name):
        raise error

    driver.api.cache_clear()
    monkeypatch.setattr(driver, "import_module", refuse_module)
    with pytest.raises(DeviceError, match=message):
        driver.api()
    monkeypatch.undo()
    driver.api.cache_clear()


# --- what a device cannot do -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"bindings": 3}, "arguments, .* takes 3"),
        ({"max_group": 8}, "work-groups of .* items"),
        ({"max_groups": (1, 1, 1)}, "work-groups in a row"),
        ({"range_bytes": 64}, "of a buffer"),
        ({"alignment": 4096}, "multiples of 4096"),
        ({"features": frozenset()}, "lacks what the kernels need .*StorageBuffer8BitAccess"),
    ],
)
def test_limits(exe, real, limits, message):
    with pytest.raises(DeviceError, match=message):
        Network(exe.program, replace(real, **limits))


def test_compiled_for_a_device_of_wide_alignment(net, inputs, real, monkeypatch):
    wide = replace(real, alignment=1024)
    monkeypatch.setattr(device_module, "devices", lambda: (wide,))
    exe = bcr.compile(net, (inputs[0],), target="vulkan", verify=True)
    assert exe.device is wide


def test_no_clock(net, inputs, real, monkeypatch):
    monkeypatch.setattr(device_module, "devices", lambda: (replace(real, nanoseconds=0.0),))
    exe = bcr.compile(net, (inputs[0],), target="vulkan", verify=True)
    with pytest.raises(DeviceError, match="no clock"):
        exe.profile(inputs[0])


def test_out_of_memory(exe, real):
    with pytest.raises(DeviceError, match=r"ran out of memory .* smaller batch"):
        Memory(exe.network.handle, real, 1 << 62)


def test_memory_that_the_host_does_not_see(real):
    with pytest.raises(DeviceError, match="no memory that the host sees"):
        real.memory_type(0, shared=True)


def test_networks_give_their_memory_back(exe, real, monkeypatch):
    freed = []
    free = Memory.free
    monkeypatch.setattr(Memory, "free", lambda self: (freed.append(self.size), free(self)))
    network = Network(exe.program, real)
    sizes = sorted(memory.size for memory in network._buffers.values())
    gone = weakref.ref(network)
    del network
    assert gone() is None
    assert sorted(freed) == sizes


def test_a_call_after_one_that_was_interrupted(exe, inputs, expected, monkeypatch):
    def interrupt(queue):
        raise KeyboardInterrupt

    exe(inputs[0])
    with monkeypatch.context() as patch:
        patch.setattr(driver.api(), "vkQueueWaitIdle", interrupt)
        with pytest.raises(KeyboardInterrupt):
            exe(inputs[1])
    for x, want in zip(inputs[2:], expected[2:], strict=True):
        assert relative_error(exe(x).numpy(), want.numpy()) < 1e-5


def test_a_process_forked_from_the_one_that_opened_the_device(exe, inputs, monkeypatch):
    exe(inputs[0])
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(DeviceError, match="forked"):
        exe(inputs[0])


def test_devices_that_cannot_be_listed(monkeypatch):
    vk = driver.api()

    def fail(instance):
        raise vk.VkErrorInitializationFailed

    monkeypatch.setattr(vk, "vkEnumeratePhysicalDevices", fail)
    device_module.devices.cache_clear()
    try:
        with pytest.raises(DeviceError, match="list the devices"):
            device_module.devices()
    finally:
        device_module.devices.cache_clear()


def test_no_stamps(exe, inputs):
    with pytest.raises(UnsupportedError, match="time stamps"):
        exe.run_with_stamps((inputs[0],), {}, np.zeros(8))


# --- memory, and kernels on disk ---------------------------------------------------------------


def test_a_device_with_memory_of_its_own(exe, inputs, expected, real):
    # As on a card: weights are copied once, inputs and outputs by each call.
    card = replace(real, kind="gpu")
    network = Network(exe.program, card)
    staged = set(network._staged)
    assert staged == {("input", 0), ("output", 0)}, "the weights are copied and given back"
    assert not len(network._buffers["weights", 0].bytes), "the host does not see them"
    for x, want in zip(inputs, expected, strict=True):
        out = np.full(want.shape, np.nan, np.float32)
        code, seconds = network.run([x.numpy()], [out], timed=True)
        assert code == 0
        assert len(seconds) == len(network.dispatches)
        assert relative_error(out, want.numpy()) < 1e-5
    network.close()


def test_kernels_are_kept_on_disk(exe, inputs, expected, real, monkeypatch, tmp_path):
    monkeypatch.setenv("BCR_CACHE", str(tmp_path))
    begun = []
    make = PipelineCache.__init__
    monkeypatch.setattr(
        PipelineCache,
        "__init__",
        lambda self, device, data: (begun.append(data), make(self, device, data))[1],
    )

    def call(program, device=real):
        network = Network(program, device)
        out = np.empty(expected[0].shape, np.float32)
        network.run([inputs[0].numpy()], [out])
        network.close()
        assert relative_error(out, expected[0].numpy()) < 1e-5

    call(exe.program)
    (path,) = (tmp_path / "vulkan").iterdir()
    call(exe.program)
    # A file that is cut off is as good as none, and written anew; another driver has its own.
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    call(exe.program)
    assert path.read_bytes() == whole
    call(exe.program, replace(real, driver="another"))
    assert begun[0] is None
    assert begun[1] == whole[32:]
    assert begun[2:] == [None, None]
    assert len(list((tmp_path / "vulkan").iterdir())) == 2


def test_more_than_an_index_reaches(exe):
    launch = exe.program.schedule[0]
    far = replace(launch.arguments[0], size=1 << 32)
    with pytest.raises(UnsupportedError, match=r"4\.29 GB .* 32-bit indices"):
        check_reach((replace(launch, arguments=(far, *launch.arguments[1:])),))
    check_reach(exe.program.schedule)
