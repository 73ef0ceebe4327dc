"""Calls of a model for OpenCL: results, memory, threads, files, the cache of kernels."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import bcr
from bcr.compiler import relative_error
from bcr.errors import DeviceError
from bcr.opencl import binaries
from conftest import make_net, prune

CONFIG = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BCR_CACHE", str(folder))
        yield folder / "opencl"


@pytest.fixture(scope="module")
def net():
    return prune(make_net(), **CONFIG)


@pytest.fixture(scope="module")
def inputs():
    torch.manual_seed(7)
    return [torch.randn(1, 3, 9, 11) for _ in range(6)]


@pytest.fixture(scope="module")
def expected(net, inputs):
    with torch.no_grad():
        return [net(x).numpy() for x in inputs]


@pytest.fixture(scope="module")
def exe(net, inputs):
    return bcr.compile(net, (inputs[0],), target="opencl", sparsity="force")


def test_kinds_of_arrays(exe, inputs, expected):
    y = exe(inputs[0])
    assert isinstance(y, torch.Tensor)
    z = exe(inputs[0].numpy())
    assert isinstance(z, np.ndarray)
    assert np.array_equal(y.numpy(), z)
    assert relative_error(z, expected[0]) < 1e-5


def test_inputs_that_a_kernel_cannot_read_in_place(exe, inputs, expected):
    # 4 bytes past a multiple of 64; and one that is not contiguous.
    room = np.zeros(inputs[1].numel() + 32, np.float32)
    start = (-room.ctypes.data % 64) // 4 + 1
    odd = room[start : start + inputs[1].numel()].reshape(inputs[1].shape)
    odd[...] = inputs[1].numpy()
    assert odd.ctypes.data % 64 == 4
    assert relative_error(exe(odd), expected[1]) < 1e-5
    turned = inputs[2].permute(0, 1, 3, 2).contiguous().permute(0, 1, 3, 2)
    assert relative_error(exe(turned).numpy(), expected[2]) < 1e-5


def test_results_are_the_callers(exe, inputs, expected):
    first = exe(inputs[0])
    exe(inputs[1])
    assert relative_error(first.numpy(), expected[0]) < 1e-5


def test_submit_does_not_wait(exe, inputs, expected):
    futures = [exe.submit(x) for x in inputs]
    for future, want in zip(reversed(futures), reversed(expected)):
        assert relative_error(future.result().numpy(), want) < 1e-5
        assert future.done()
    assert futures[0].result() is not None
    # Each call had memory of its own, which is kept for the next ones.
    assert len(exe.network) == len(inputs)
    exe(inputs[0])
    assert len(exe.network) == len(inputs)


def test_a_call_whose_result_nobody_wants(exe, inputs, expected):
    waiting = len(exe.network)
    exe.submit(inputs[3])
    assert len(exe.network) == waiting
    assert relative_error(exe(inputs[4]).numpy(), expected[4]) < 1e-5


def test_many_threads(exe, inputs, expected):
    errors = []

    def work(number: int) -> None:
        for turn in range(12):
            i = (number + turn) % len(inputs)
            errors.append(relative_error(exe(inputs[i]).numpy(), expected[i]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 48
    assert max(errors) < 1e-5


def test_an_error_stays_an_error(exe, inputs, expected, monkeypatch):
    import pyopencl as cl

    def fail(events):
        raise cl.RuntimeError("clWaitForEvents failed: EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST")

    future = exe.submit(inputs[0])
    with monkeypatch.context() as patch:
        patch.setattr(cl, "wait_for_events", fail)
        with pytest.raises(DeviceError, match="failed to run the model"):
            future.result()
    assert future.done()
    with pytest.raises(DeviceError, match="failed to run the model"):
        future.result()
    assert relative_error(exe(inputs[1]).numpy(), expected[1]) < 1e-5


def test_a_failed_command_is_done(exe, inputs, monkeypatch):
    future = exe.submit(inputs[0])
    with monkeypatch.context() as patch:
        patch.setattr(future._pending, "_events", [SimpleNamespace(command_execution_status=-5)])
        assert future.done()
    assert future.result() is not None


def test_asking_does_not_wait_for_who_waits(exe, inputs, monkeypatch):
    import pyopencl as cl

    waiting, go_on = threading.Event(), threading.Event()
    wait = cl.wait_for_events

    def slow(events):
        waiting.set()
        go_on.wait(20)
        wait(events)

    monkeypatch.setattr(cl, "wait_for_events", slow)
    future = exe.submit(inputs[0])
    thread = threading.Thread(target=future.result)
    thread.start()
    assert waiting.wait(20)
    asked = threading.Thread(target=future.done)
    asked.start()
    asked.join(10)
    assert not asked.is_alive()
    go_on.set()
    thread.join()


def test_a_call_that_is_interrupted(exe, inputs, expected, monkeypatch):
    import pyopencl as cl

    session = exe.network.take()
    launched, under_way = cl.enqueue_nd_range_kernel, []

    def interrupt(queue, *launch):
        if under_way:
            raise KeyboardInterrupt
        under_way.append(launched(queue, *launch))
        return under_way[0]

    kept = len(exe.network)
    exe.network.give_back(session)
    with monkeypatch.context() as patch:
        patch.setattr(cl, "enqueue_nd_range_kernel", interrupt)
        with pytest.raises(KeyboardInterrupt):
            exe(inputs[0])
    # The arrays of the call are gone by now: nothing may write to them any more.
    assert under_way[0].command_execution_status == cl.command_execution_status.COMPLETE
    assert len(exe.network) == kept
    for x, want in zip(inputs, expected):
        assert relative_error(exe(x).numpy(), want) < 1e-5


def test_a_model_leaves_with_its_last_name(net, inputs):
    exe = bcr.compile(net, (inputs[0],), target="opencl")
    exe(inputs[0])
    exe.submit(inputs[1])
    network = weakref.ref(exe.network)
    gc.collect()
    gc.disable()
    try:
        del exe
        assert network() is None
    finally:
        gc.enable()


def test_device_that_shares_no_memory(net, inputs, expected, monkeypatch):
    from bcr.opencl.network import Session

    monkeypatch.setattr(Session, "shares", lambda self, array: False)
    exe = bcr.compile(net, (inputs[0],), target="opencl", sparsity="force")
    for x, want in zip(inputs, expected):
        assert relative_error(exe(x.numpy()), want) < 1e-5
    assert relative_error(exe.submit(inputs[0]).result().numpy(), expected[0]) < 1e-5


def test_wrong_inputs(exe, inputs):
    with pytest.raises(bcr.InputError, match="compile it for this shape"):
        exe(torch.randn(2, 3, 9, 11))
    with pytest.raises(bcr.InputError, match="dtype float64"):
        exe(inputs[0].double())


def test_index_out_of_range():
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Embedding(10, 12), torch.nn.Linear(12, 5)).eval()
    exe = bcr.compile(model, (torch.tensor([1, 9, 0]),), target="opencl")
    good = torch.tensor([9, 3, 3])
    with torch.no_grad():
        assert relative_error(exe(good).numpy(), model(good).numpy()) < 1e-5
    with pytest.raises(bcr.InputError, match="index"):
        exe(torch.tensor([1, 10, 0]))
    # The failed call leaves nothing behind.
    with torch.no_grad():
        assert relative_error(exe(good).numpy(), model(good).numpy()) < 1e-5


def test_stream_keeps_its_state():
    torch.manual_seed(4)
    cell = torch.nn.GRUCell(8, 12).eval()
    x, h = torch.randn(2, 8), torch.zeros(2, 12)

    class Frame(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x, h):
            h = self.cell(x, h)
            return h * 2, h

    exe = bcr.compile(Frame().eval(), (x, h), target="opencl")
    stream = exe.stream({"h": 1})
    for frame in torch.randn(5, 2, 8):
        with torch.no_grad():
            h = cell(frame, h)
        assert relative_error(stream(frame).numpy(), (2 * h).numpy()) < 1e-5
    stream.reset()
    assert not stream.state["h"].any()


def test_backend_of_torch_compile(net, inputs, expected):
    with torch.no_grad():
        compiled = torch.compile(net, backend="bcr", options={"target": "opencl"}, dynamic=False)
        assert relative_error(compiled(inputs[0]).numpy(), expected[0]) < 1e-5


def test_profile_is_the_devices(exe, inputs):
    profile = exe.profile(inputs[0], repeats=5)
    by_name = {layer.name: layer for layer in profile.layers}
    assert {"stem", "body", "head"} <= set(by_name)
    assert all(layer.seconds > 0 for layer in profile.layers)
    # Kernels run one after the other: together they take no longer than the call.
    assert sum(layer.seconds for layer in profile.layers) <= profile.total
    body = by_name["body"]
    assert body.dense_gflops == pytest.approx(4 * body.stored_gflops, rel=0.3)
    assert "GFLOP/s" in str(profile)
    with pytest.raises(bcr.ConfigError, match="repeats"):
        exe.profile(inputs[0], repeats=0)
    # Sessions that take times are not lent to calls.
    session = exe.network.take()
    assert not session.queue.properties
    exe.network.give_back(session)


def test_stages(exe):
    assert "gpu.launch" in exe.mlir("kernels")
    assert "spirv.module" in exe.mlir("spirv")
    assert "bcr.conv2d" in exe.mlir("tile")
    with pytest.raises(bcr.ConfigError, match="unknown stage 'loops'"):
        exe.mlir("loops")


def test_save_and_load(exe, inputs, tmp_path):
    exe.save(tmp_path / "net.bcr")
    loaded = bcr.load(tmp_path / "net.bcr")
    assert torch.equal(loaded(inputs[0]), exe(inputs[0]))
    assert loaded.program.schedule == exe.program.schedule
    assert loaded.target == bcr.Target.of("opencl")
    assert str(loaded.report()) == str(exe.report())
    with pytest.raises(bcr.ConfigError, match="several|no OpenCL device is named 'no such'"):
        bcr.load(tmp_path / "net.bcr", device="no such")(inputs[0])


def damage(path, change):
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    manifest = json.loads(metadata["bcr"])
    change(manifest["schedule"])
    save_file(tensors, path, metadata={"bcr": json.dumps(manifest)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[0]["arguments"][0].__setitem__(3, 10**9), "reaches outside"),
        (lambda s: s[0]["arguments"][0].__setitem__(2, -128), "reaches outside"),
        (lambda s: s[0]["arguments"][0].__setitem__(0, "elsewhere"), "reaches outside"),
        (lambda s: s[0]["arguments"][0].__setitem__(0, "turn"), "reaches outside"),
        (lambda s: s[0].__setitem__("local", [0, 1, 1]), "positive"),
        (lambda s: s[0].pop("kernel"), "damaged"),
    ],
)
def test_damaged_schedule(exe, tmp_path, change, message):
    path = tmp_path / "net.bcr"
    exe.save(path)
    damage(path, change)
    with pytest.raises(bcr.FormatError, match=message):
        bcr.load(path)


def test_kernels_are_built_once(net, inputs, expected, monkeypatch, cache):
    built = []
    original = binaries._build_spirv
    monkeypatch.setattr(
        binaries, "_build_spirv", lambda *args: built.append(args) or original(*args)
    )
    for file in cache.glob("*"):
        file.unlink()
    for turn in range(3):
        exe = bcr.compile(net, (inputs[0],), target="opencl", sparsity="force")
        assert exe.network.kernels.cached == (turn > 0)
        assert relative_error(exe(inputs[0]).numpy(), expected[0]) < 1e-5
    assert len(built) == 1
    (file,) = cache.glob("*")
    # Another model is another file; a damaged file is built anew.
    other = bcr.compile(torch.nn.Linear(5, 3).eval(), (torch.randn(2, 5),), target="opencl")
    assert not other.network.kernels.cached
    assert len(list(cache.glob("*"))) == 2
    file.write_bytes(file.read_bytes()[:-10])
    exe = bcr.compile(net, (inputs[0],), target="opencl", sparsity="force")
    assert not exe.network.kernels.cached
    assert relative_error(exe(inputs[0]).numpy(), expected[0]) < 1e-5
    assert len(built) == 3


def test_folder_that_cannot_be_written_to(net, inputs, expected, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BCR_CACHE", str(tmp_path / "file"))
    exe = bcr.compile(net, (inputs[0],), target="opencl", sparsity="force")
    assert relative_error(exe(inputs[0]).numpy(), expected[0]) < 1e-5


def test_what_opencl_has_not(exe, net, inputs, tmp_path):
    shapes = ({0: torch.export.Dim("n", min=1, max=8)},)
    with pytest.raises(bcr.UnsupportedError, match="fixed"):
        bcr.compile(net, (torch.randn(2, 3, 9, 11),), target="opencl", dynamic_shapes=shapes)
    with pytest.raises(bcr.ConfigError, match="tune="):
        bcr.compile(net, (inputs[0],), target="opencl", tune=1.0)
    with pytest.raises(bcr.ConfigError, match='device= is for target="opencl"'):
        bcr.compile(net, (inputs[0],), device=0)
    bcr.compile(net, (inputs[0],)).save(tmp_path / "host.bcr")
    with pytest.raises(bcr.ConfigError, match="device= is for models"):
        bcr.load(tmp_path / "host.bcr", device=0)
