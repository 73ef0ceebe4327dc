"""Networks on OpenCL and Vulkan devices, compared with eager PyTorch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import bcr
import networks
from bcr.compiler import compile_imported, relative_error
from bcr.executable import make_executable
from bcr.frontend import import_model
from bcr.launches import Repeat, check_schedule
from bcr.progress import Stages
from bcr.target import Target
from conftest import make_net, prune


@pytest.fixture(params=["opencl", "vulkan"])
def target(request):
    """What takes the kernels."""
    return request.param


def check(target, model, args, tolerance=1e-5, sparsity="force"):
    """Compile for a GPU, compare, and return the executable."""
    exe = bcr.compile(model, args, target=target, sparsity=sparsity)
    with torch.no_grad():
        expected = model(*args)
    assert relative_error(exe(*args).numpy(), expected.numpy()) < tolerance
    return exe


# A ragged block (5x7 of 20x180), blocks that lose rows, columns or both, batches with a remainder.
@pytest.mark.parametrize(
    ("scheme", "block", "batch"),
    [("columns", (4, 12), 1), ("both", (5, 7), 2), ("rows", (8, 16), 3), ("both", (16, 64), 3)],
)
def test_small_network(target, scheme, block, batch):
    config = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}
    net = prune(make_net(), block=block, scheme=scheme, oversize="clip", **config)
    exe = check(target, net, (torch.randn(batch, 3, 9, 11),))
    verdicts = {layer.name: layer.verdict for layer in exe.report().layers}
    assert verdicts["body"] == verdicts["head"] == "picked"
    assert verdicts["stem"] == "dense"


class Pools(nn.Module):
    """Pooling of all kinds, a residual of two inputs, a softmax, two results."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 24, 3, padding=1)
        self.norm = nn.BatchNorm2d(24)
        self.wide = nn.Conv2d(24, 40, (3, 5), stride=(2, 1), padding=(1, 2))
        self.narrow = nn.Conv2d(40, 40, 1)
        self.head = nn.Linear(40, 13)

    def forward(self, x, skip):
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.first(x))), 3, 2, 1)
        x = nn.functional.gelu(self.wide(x))
        x = nn.functional.avg_pool2d(self.narrow(x) + skip, 2)
        x = nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return torch.softmax(self.head(x), 1), x.sum(1)


# Samples that are positions: fewer than a tile of a transpose, and tiles with a remainder.
@pytest.mark.parametrize("samples", [9, 37])
def test_many_samples(target, samples):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(40, 24)
            self.second = nn.Linear(24, 24)

        def forward(self, x):
            x = torch.relu(self.first(x))
            return torch.relu(self.second(x) + x)

    torch.manual_seed(3)
    net = prune(Net().eval(), block=(8, 10), oversize="clip")
    check(target, net, (torch.randn(samples, 40),))


def test_two_inputs_two_results(target):
    torch.manual_seed(1)
    net = Pools().eval()
    net.norm.running_mean.uniform_(-0.5, 0.5)
    net.norm.running_var.uniform_(0.5, 2)
    prune(net, block=(8, 16), modules={"first": None}, oversize="clip")
    args = torch.randn(2, 3, 17, 14), torch.randn(2, 40, 5, 7)
    exe = bcr.compile(net, args, target=target, sparsity="force")
    with torch.no_grad():
        expected = net(*args)
    for got, want in zip(exe(*args), expected, strict=True):
        assert relative_error(got.numpy(), want.numpy()) < 1e-5


def test_dense_where_it_is_told_to(target):
    net = prune(make_net(), modules={"stem": None, "depthwise": None, "head": {"block": (4, 5)}})
    exe = check(target, net, (torch.randn(1, 3, 9, 11),), sparsity="off")
    assert all(layer.verdict != "picked" for layer in exe.report().layers)


def test_pruned_positions_are_not_computed(target):
    # 0 x Inf is NaN; what is pruned does not contribute.
    linear = nn.Linear(32, 16)
    with torch.no_grad():
        linear.weight[:, 16:] = 0
    x = torch.randn(2, 32)
    expected = linear(x).detach()
    x[:, 16:] = torch.inf
    model = nn.Sequential(linear).eval()
    exe = bcr.compile(model, (x,), target=target, sparsity="force")
    assert relative_error(exe(x).numpy(), expected.numpy()) < 1e-5


@pytest.mark.parametrize("kind", ["gru", "lstm with a projection"])
def test_recurrent(target, kind):
    torch.manual_seed(2)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if kind == "gru":
                self.cell = nn.GRU(24, 32, batch_first=True)
            else:
                self.cell = nn.LSTM(24, 41, batch_first=True, proj_size=32)
            self.head = nn.Linear(32, 5)

        def forward(self, x):
            return self.head(self.cell(x)[0][:, -1])

    net = prune(Net().eval(), block=(8, 12), modules={"head": None}, oversize="clip")
    check(target, net, (torch.randn(2, 7, 24),))


class Cropped(nn.Module):
    """A residual whose rows are as far apart as those of the layer it is added to, and whose memory
    ends with it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.third = nn.Conv2d(4, 5, 3, padding=1)

    def forward(self, x, residual):
        y = torch.relu(self.first(x))
        return self.third(torch.relu(self.second(y) + residual[..., 1:]))


def test_residual_at_the_end_of_its_memory(target):
    torch.manual_seed(6)
    args = (torch.randn(2, 3, 6, 17), torch.randn(2, 4, 6, 18))
    program = check(target, Cropped().eval(), args).program
    inputs, outputs = program.signature.inputs, program.signature.outputs
    check_schedule(program.schedule, inputs, outputs, program.pool.size, program.arena.bytes)


class Scaled(nn.Module):
    """A number of an input, read before the layers and used behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x, scale):
        factor = scale.item()
        return self.conv(torch.exp(x)) * factor


def test_number_that_waits_for_a_layer(target):
    torch.manual_seed(5)
    check(target, Scaled().eval(), (torch.randn(1, 3, 5, 6), torch.tensor(2.5)))


class Guarded(nn.Module):
    """Layers, loops and steps that depend on one another, to go behind a check."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, padding=1)
        self.cell = nn.GRU(15, 4, batch_first=True)
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        steps = torch.exp(self.conv(x)).flatten(2)
        return self.head(self.cell(steps)[0]).softmax(-1).cumsum(1)


CHECK = """
    %first = arith.constant 0 : index
    %least = arith.constant 0.0 : f32
    %value = tensor.extract %arg0[%first, %first, %first, %first] : tensor<1x2x3x5xf32>
    %fits = arith.cmpf ogt, %value, %least : f32
    cf.assert %fits, "the first value is positive"
"""


def test_nothing_runs_behind_a_check_that_fails(target):
    torch.manual_seed(7)
    model, x = Guarded().eval(), torch.rand(1, 2, 3, 5)
    imported = import_model(model, (x,), {})
    head, brace, body = imported.text.partition("-> tensor<1x3x5xf32> {")
    assert brace, imported.text
    imported = replace(imported, text=head + brace + CHECK + body)
    exe = make_executable(
        compile_imported(
            imported, Target.of(target), sparsity="auto", num_threads=1, stages=Stages(False)
        )
    )
    with torch.no_grad():
        expected = model(x)
    assert relative_error(exe(x).numpy(), expected.numpy()) < 1e-5
    assert any("kernels of both sides" in remark for remark in exe.program.remarks)
    out = exe.make_output((1, 3, 5), "float32", False)
    out[...] = exe(x)
    code = exe.run_arrays([-x.numpy()], [out])
    assert exe.program.checks[code - 1] == "the first value is positive"
    assert relative_error(out, expected.numpy()) < 1e-5


def labels(schedule):
    """What each launch of a schedule is, those of a repetition once."""
    found = []
    for entry in schedule:
        found += labels(entry.body) if isinstance(entry, Repeat) else [entry.label]
    return found


class Perceptron(nn.Module):
    """Linear layers of ragged sizes, one with a residual, between others of other ranks."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(19, 37)
        self.second = nn.Linear(37, 37)
        self.third = nn.Linear(37, 23)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = nn.functional.gelu(self.second(x)) + x
        return self.third(x).tanh()


# A sample more than a square of sixteen, fewer than one, and 256: features are moved apart then.
@pytest.mark.parametrize("samples", [17, 11, 256])
def test_linear_layers_of_many_samples(target, samples):
    torch.manual_seed(6)
    model = Perceptron().eval()
    bcr.Pruner(model, bcr.PruneConfig(2, (5, 6), scheme="columns")).finalize()
    check(target, model, (torch.randn(samples, 19),))


def test_activations_stay_transposed_between_linear_layers(target):
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(20, 33), nn.GELU(), nn.Linear(33, 18), nn.Linear(18, 35))
    exe = check(target, model.eval(), (torch.randn(21, 20),))
    copies = [label for label in labels(exe.program.schedule) if "transpose" in label]
    # A GPU's last layer writes its result where it belongs, a processor's copies it.
    assert copies == ["0.transpose", "3.transpose_back"][: 2 if target == "opencl" else 1]


# Images of a vector and more, less than one, and less than half of one; kernels that leave parts
# of the copy out; no padding in one direction.
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size"),
    [
        ((3, 3), (2, 2), (1, 1), (28, 28)),
        ((7, 7), (2, 2), (3, 3), (13, 41)),
        ((1, 1), (2, 2), (0, 0), (9, 11)),
        ((3, 3), (2, 1), (2, 0), (8, 18)),
        ((3, 3), (1, 2), (0, 1), (7, 5)),
        ((2, 3), (3, 3), (1, 1), (10, 19)),
        ((3, 2), (2, 2), (1, 1), (6, 3)),
    ],
)
def test_strided_convolutions(target, kernel, stride, padding, size):
    torch.manual_seed(8)
    model = nn.Sequential(
        nn.Conv2d(2, 6, 1), nn.Conv2d(6, 10, kernel, stride, padding), nn.Conv2d(10, 3, 1)
    ).eval()
    bcr.Pruner(model[1], bcr.PruneConfig(2, (5, 6), scheme="both", oversize="clip")).finalize()
    check(target, model, (torch.randn(2, 2, *size),))


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_a_recurrent_step_is_two_launches(target, cell):
    """However many heights its groups have, and whichever rows are sums of several or empty."""
    torch.manual_seed(9)
    model = cell(24, 40).eval()
    bcr.Pruner(model, bcr.PruneConfig(6, (8, 12), scheme="both", oversize="clip")).finalize()
    with torch.no_grad():
        model.weight_hh_l0[:3] = 0
    x = torch.randn(5, 1, 24)
    exe = bcr.compile(model, (x,), target=target, sparsity="force")
    with torch.no_grad():
        expected, _ = model(x)
    got, _ = exe(x)
    assert relative_error(got.numpy(), expected.numpy()) < 1e-5
    (steps,) = [entry for entry in exe.program.schedule if isinstance(entry, Repeat)]
    assert steps.turns == 5
    assert len(steps.body) == 2


@pytest.mark.parametrize(("scheme", "launches"), [("rows", 2), ("both", 1), ("columns", 1)])
def test_launches_of_a_linear_layer(target, scheme, launches):
    """One, or two where rows are sums of several groups: also with Inf where nothing is kept.

    Of blocks that lose rows and columns, what is left here is packed as a group for each row.
    """
    torch.manual_seed(10)
    model = nn.Linear(40, 50).eval()
    bcr.Pruner(model, bcr.PruneConfig(5, (7, 9), scheme=scheme, oversize="clip")).finalize()
    with torch.no_grad():
        model.weight[11:24] = 0
        model.weight[:, 5] = 0
    x = torch.randn(2, 40)
    exe = check(target, model, (x,))
    assert len(labels(exe.program.schedule)) == launches
    x[:, 5] = torch.inf
    assert np.isfinite(exe(x).numpy()).all()


def test_whole_resnet18(target):
    model, args, expected = networks.build("resnet18_cifar", "8x64")
    exe = bcr.compile(model, args, target=target, sparsity="force")
    assert relative_error(exe(*args).numpy(), expected.numpy()) < 1e-4
    assert sum(layer.verdict == "picked" for layer in exe.report().layers) > 15
