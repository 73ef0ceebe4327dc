"""Half floats in memory on GPUs: what they cost in accuracy, what they save, what refuses them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.compiler import relative_error
from bcr.errors import ConfigError, DeviceError
from conftest import make_net, prune


class Net(nn.Module):
    """Two convolutions, one with strides, and a linear layer of ten samples."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.head = nn.Linear(24 * 4 * 3, 10)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.relu(self.second(x))
        return self.head(x.flatten(1))


BATCH, HEIGHT, WIDTH = 10, 7, 5
HALF = 2.0**-11
"""Half of the distance between neighbouring half floats, relative to them."""
TINY = 2.0**-25
"""The same below the smallest normal half float, absolute."""


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return prune(Net().eval(), block=(8, 12), modules={"first": None}, oversize="clip")


@pytest.fixture(scope="module")
def x():
    return torch.randn(BATCH, 3, HEIGHT, WIDTH)


def half(values):
    """Round to half floats and back."""
    return values.astype(np.float16).astype(np.float64)


def convolve(x, layer, stride, values):
    """A 3x3 convolution with one zero around the image, by its definition, in f64."""
    bias = layer.bias.detach().numpy().astype(np.float64)
    height, width = ((size - 1) // stride + 1 for size in x.shape[2:])
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.broadcast_to(bias[:, None, None], (len(x), len(bias), height, width)).copy()
    for i in range(3):
        for j in range(3):
            rows = slice(i, i + stride * (height - 1) + 1, stride)
            columns = slice(j, j + stride * (width - 1) + 1, stride)
            taps = values(layer)[:, :, i, j]
            out += np.einsum("nchw,mc->nmhw", padded[:, :, rows, columns], taps)
    return out


def run(net, x, values=lambda layer: layer.weight.detach().numpy().astype(np.float64), keep=None):
    """The network in NumPy, with `values` of each layer's weights and `keep` between layers."""
    keep = keep or (lambda a: a)
    x = keep(x.numpy().astype(np.float64))
    x = keep(np.maximum(convolve(x, net.first, 1, values), 0))
    x = keep(np.maximum(convolve(x, net.second, 2, values), 0))
    return x.reshape(len(x), -1) @ values(net.head).T + net.head.bias.detach().numpy()


def rounded(layer):
    return half(layer.weight.detach().numpy())


def bound(net, x, activations):
    """The largest error that rounding can make: errors of the inputs times |W|, plus those of W.

    A weight is off by at most u|w| + t; a stored activation a by 2u(|a| + its error) + t, since
    Vulkan may cut off instead of rounding.
    """
    size = lambda layer: np.abs(layer.weight.detach().numpy()).astype(np.float64)  # noqa: E731
    off = lambda layer: (HALF * size(layer) + TINY) * (size(layer) > 0)  # noqa: E731
    wide = lambda layer: size(layer) + off(layer)  # noqa: E731

    class NoBias:
        def __init__(self, layer):
            self.layer, self.bias = layer, torch.zeros(len(layer.bias))

    def layer(a, error, part, stride):
        value = lambda of: convolve(a, NoBias(part), stride, lambda box: of(box.layer))  # noqa: E731
        spread = convolve(error, NoBias(part), stride, lambda box: wide(box.layer))
        return value(off) + spread

    exact = run_layers(net, x)
    # The copy of the input that has the zeros of the padding is a buffer as well.
    error = (2 * HALF * np.abs(exact[0]) + TINY) * activations
    for a, part, stride, out in zip(exact, (net.first, net.second), (1, 2), exact[1:]):
        error = layer(np.abs(a), error, part, stride)
        if activations:
            error = error + 2 * HALF * (np.abs(out) + error) + TINY
    a, error = (value.reshape(BATCH, -1) for value in (np.abs(exact[2]), error))
    return a @ off(net.head).T + error @ wide(net.head).T


def run_layers(net, x):
    """What each layer reads."""
    read = []
    run(net, x, keep=lambda a: read.append(a) or a)
    return read


@pytest.mark.parametrize("target", ["opencl", "vulkan"])
@pytest.mark.parametrize("sparsity", ["force", "off"])
def test_weights(net, x, target, sparsity):
    exe = bcr.compile(net, (x,), target=target, sparsity=sparsity, storage="f16-weights")
    got = exe(x).numpy()
    # The weights are those that NumPy rounds, and all else is f32.
    assert relative_error(got, run(net, x, rounded).astype(np.float32)) < 1e-6
    error = np.abs(got - run(net, x))
    assert (error <= bound(net, x, activations=False) + 1e-6).all()
    assert error.max() > 1e-6, "something was rounded"


@pytest.mark.parametrize("target", ["opencl", "vulkan"])
def test_weights_and_activations(net, x, target):
    exe = bcr.compile(net, (x,), target=target, sparsity="force", storage="f16")
    got = exe(x).numpy()
    error = np.abs(got - run(net, x))
    assert (error <= bound(net, x, activations=True) + 1e-6).all()
    if target == "opencl":
        # Rounded to nearest, once for each stored activation. A sum in f32 may round the other way
        # than one in f64, which changes all results of its sample, but few samples have one.
        near = np.abs(got - run(net, x, rounded, half))
        assert np.median(near) < 0.01 * np.median(np.abs(got - run(net, x, rounded)))
    # A result in which rows are summed up over groups stays f32: on Vulkan that of `second`.
    assert exe.program.arena.bytes < 0.65 * plain(net, x, target).program.arena.bytes


def plain(net, x, target):
    return bcr.compile(net, (x,), target=target, sparsity="force")


def test_the_report_halves_the_bytes(net, x):
    kept = {layer.name: layer for layer in plain(net, x, "opencl").report().layers}
    exe = bcr.compile(net, (x,), target="opencl", sparsity="force", storage="f16-weights")
    for layer in exe.report().layers:
        assert layer.storage == "f16"
        assert 2 * layer.value_bytes == kept[layer.name].value_bytes
        assert layer.stored == kept[layer.name].stored
        assert layer.traffic.flops == kept[layer.name].traffic.flops
    values = [c for c in exe.program.constants if c.name.endswith(".values")]
    assert values
    assert all(constant.dtype == "f16" for constant in values)


def test_save_and_load(net, x, tmp_path):
    exe = bcr.compile(net, (x,), target="opencl", storage="f16")
    exe.save(tmp_path / "model.bcr")
    assert (bcr.load(tmp_path / "model.bcr")(x) == exe(x)).all()


def test_sums_and_states_stay_wide():
    # Rows that several groups add to, and a state that sixty steps carry on, would drift.
    torch.manual_seed(5)
    shared = prune(make_net(), block=(5, 7), scheme="both", oversize="clip", modules={"stem": None})
    x = torch.randn(3, 3, 9, 11)
    exe = bcr.compile(shared, (x,), target="opencl", sparsity="force", storage="f16")
    with torch.no_grad():
        assert relative_error(exe(x).numpy(), shared(x).numpy()) < 4e-3

    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRU(12, 24)

        def forward(self, x):
            return self.cell(x)[0]

    model, x = Cell().eval(), torch.randn(60, 2, 12)
    exe = bcr.compile(model, (x,), target="opencl", storage="f16")
    with torch.no_grad():
        assert relative_error(exe(x).numpy(), model(x).numpy()) < 2e-3


def test_weights_that_no_half_float_holds():
    linear = nn.Linear(8, 6)
    with torch.no_grad():
        linear.weight[2, 3] = 1e6
    model, x = nn.Sequential(linear).eval(), torch.randn(2, 8)
    exe = bcr.compile(model, (x,), target="opencl", storage="f16")
    assert relative_error(exe(x).numpy(), model(x).detach().numpy()) < 1e-6
    assert any("0.values stays f32" in remark for remark in exe.program.remarks)
    assert exe.report().layers[0].storage == "f32"


def test_what_cannot(net, x):
    with pytest.raises(ConfigError, match="storage must be one of f32, f16-weights, f16"):
        bcr.compile(net, (x,), target="opencl", storage="half")
    with pytest.raises(ConfigError, match='storage=\'f16\' is for target="opencl" or "vulkan"'):
        bcr.compile(net, (x,), storage="f16")


def test_devices_that_cannot(net, x):
    from dataclasses import replace

    import bcr.opencl
    import bcr.vulkan
    from bcr.opencl.binaries import check_module

    device = bcr.opencl.find_device(0)
    kernels = bcr.compile(net, (x,), target="opencl", storage="f16").program.library
    with pytest.raises(DeviceError, match='half precision, which .* without storage="f16"'):
        check_module(kernels, replace(device, fp16=False))
    phone = bcr.vulkan.find_device(0)
    kernels = bcr.compile(net, (x,), target="vulkan", storage="f16").program.library
    without = replace(phone, features=phone.features - {"StorageBuffer16BitAccess", "Float16"})
    with pytest.raises(DeviceError, match="lacks .*StorageBuffer16BitAccess.* without storage="):
        without.check_kernels(kernels)
