"""Calling, reporting and profiling a compiled model."""

from __future__ import annotations

import threading
from collections import namedtuple

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.compiler import relative_error
from conftest import make_net, prune

CONFIG = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}


@pytest.fixture(scope="module")
def net():
    return prune(make_net(), **CONFIG)


@pytest.fixture(scope="module")
def x():
    return torch.randn(2, 3, 17, 13)


@pytest.fixture(scope="module")
def exe(net, x):
    return bcr.compile(net, (x,), sparsity="force", verify=True)


def eager(net, *args):
    with torch.no_grad():
        return net(*args)


def test_torch_in_torch_out(exe, net, x):
    y = exe(x)
    assert isinstance(y, torch.Tensor)
    assert relative_error(y.numpy(), eager(net, x).numpy()) < 1e-5


def test_numpy_in_numpy_out(exe, net, x):
    y = exe(x.numpy())
    assert isinstance(y, np.ndarray)
    assert relative_error(y, eager(net, x).numpy()) < 1e-5


@pytest.mark.parametrize("sparsity", ["auto", "force", "off"])
def test_every_sparsity_is_right(net, x, sparsity):
    compiled = bcr.compile(net, (x,), sparsity=sparsity)
    assert relative_error(compiled(x).numpy(), eager(net, x).numpy()) < 1e-5


def test_inputs_that_are_not_contiguous(exe, net, x):
    strided = torch.empty(13, 17, 3, 2).permute(3, 2, 1, 0).copy_(x)
    assert not strided.is_contiguous()
    assert torch.equal(exe(strided), exe(x))
    assert np.array_equal(exe(strided.numpy()), exe(x).numpy())


def test_input_that_wants_a_gradient(exe, x):
    assert torch.equal(exe(x.clone().requires_grad_()), exe(x))


def test_a_call_does_not_change_its_input_or_an_earlier_result(exe, x):
    before = x.clone()
    first = exe(x)
    kept = first.clone()
    exe(x + 1)
    assert torch.equal(first, kept)
    assert torch.equal(x, before)


def test_the_model_may_change_after_compilation(x):
    model = make_net()
    compiled = bcr.compile(model, (x,))
    expected = eager(model, x)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    assert relative_error(compiled(x).numpy(), expected.numpy()) < 1e-5


def test_one_tensor_is_one_argument(net, x):
    assert torch.equal(bcr.compile(net, x, verify=True)(x), bcr.compile(net, (x,))(x))


def test_calls_from_several_threads(exe, x):
    inputs = [x + i for i in range(4)]
    expected = [exe(value) for value in inputs]
    wrong = []

    def work(index):
        for _ in range(20):
            if not torch.equal(exe(inputs[index]), expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_same_bits_every_time(net, x):
    first = bcr.compile(net, (x,))
    second = bcr.compile(net, (x,))
    assert torch.equal(first(x), second(x))
    assert torch.equal(first(x), first(x))
    assert first.program.code == second.program.code
    assert np.array_equal(first.program.pool, second.program.pool)


def test_threads_do_not_change_the_result(net, x):
    one = bcr.compile(net, (x,), sparsity="force")
    expected = one(x)
    for threads in (2, 3):
        more = bcr.compile(net, (x,), sparsity="force", num_threads=threads)
        assert all(torch.equal(more(x), expected) for _ in range(20))


@pytest.mark.parametrize("scheme", ["columns", "rows", "both"])
def test_threads_do_not_change_sums_of_several_groups(scheme):
    """Rows that are in several groups, ragged edges, layers too small for the threads."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(5, 37, 3, padding=1), nn.ReLU(), nn.Conv2d(37, 43, 3, stride=2), nn.ReLU(),
        nn.Conv2d(43, 21, 1), nn.Flatten(), nn.Linear(21 * 6 * 8, 203), nn.ReLU(),
        nn.Linear(203, 90), nn.Softmax(-1),
    ).eval()  # fmt: skip
    prune(model, rate=4, scheme=scheme, block=(4, 10))
    x = torch.randn(1, 5, 13, 17)
    results = [
        bcr.compile(model, (x,), sparsity="force", num_threads=threads)(x)
        for threads in (1, 2, 3, 4)
    ]
    assert relative_error(results[0].numpy(), eager(model, x).numpy()) < 1e-5
    for threads, result in enumerate(results[1:], 2):
        assert torch.equal(result, results[0]), f"{threads} threads"


@pytest.mark.parametrize(
    ("side", "batch", "scheme"),
    [((14, 14), 1, "both"), ((5, 29), 1, "columns"), ((8, 8), 2, "columns"), ((17, 6), 3, "rows")],
)
def test_threads_that_share_positions(side, batch, scheme):
    """Layers of many inputs and one block of rows, with whole and partial vectors for each."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 8, 1)
            self.wide = nn.Conv2d(8, 96, 1)
            self.point = nn.Conv2d(96, 8, 1)
            self.square = nn.Conv2d(96, 8, 3, padding=1)

        def forward(self, x):
            x = self.first(x).relu()
            y = self.wide(x).relu()
            return self.point(y) + x, self.square(y).relu()

    torch.manual_seed(side[1])
    model = Net().eval()
    config = bcr.PruneConfig(rate=4, scheme=scheme, block=(8, 16), oversize="clip")
    bcr.Pruner(model, config).finalize()
    x = torch.randn(batch, 3, *side)
    one = bcr.compile(model, (x,), sparsity="force")(x)
    for result, expected in zip(one, eager(model, x), strict=True):
        assert relative_error(result.numpy(), expected.numpy()) < 1e-5
    for threads in (2, 3, 5):
        exe = bcr.compile(model, (x,), sparsity="force", num_threads=threads)
        assert all(map(torch.equal, exe(x), one)), f"{threads} threads"


def test_one_model_from_two_python_threads_at_once(net, x):
    """Two calls meet inside the compiled code: the interpreter is not held, nothing is shared."""
    two = bcr.compile(net, (x,), sparsity="force", num_threads=2)
    one = bcr.compile(net, (x,), sparsity="force")
    work = [(exe, x * (1 + i)) for i in range(3) for exe in (one, two)]
    expected = [exe(value) for exe, value in work]
    barrier = threading.Barrier(len(work))
    wrong = []

    def run(index):
        exe, value = work[index]
        for _ in range(50):
            barrier.wait(timeout=60)
            if not torch.equal(exe(value), expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert 1 <= len(one.workspaces) <= 3
    assert 1 <= len(two.workspaces) <= 3


def test_the_number_of_threads_of_the_process(net, x, monkeypatch):
    from bcr import threads

    monkeypatch.setattr(threads, "_count", None)
    monkeypatch.setenv("BCR_NUM_THREADS", "3")
    assert bcr.get_num_threads() == 3
    bcr.set_num_threads(2)
    assert bcr.get_num_threads() == 2
    compiled = bcr.compile(net, (x,))
    assert compiled.program.options["num_threads"] == 2
    assert bcr.compile(net, (x,), num_threads=1).program.options["num_threads"] == 1
    for count in (0, -1, 1025, 1.5, True, "2"):
        with pytest.raises(bcr.ConfigError, match="num_threads"):
            bcr.set_num_threads(count)
    assert bcr.get_num_threads() == 2
    monkeypatch.setattr(threads, "_count", None)
    monkeypatch.setenv("BCR_NUM_THREADS", "many")
    with pytest.raises(bcr.ConfigError, match="BCR_NUM_THREADS.*'many'"):
        bcr.compile(net, (x,))


def test_dynamic_batch(net, x):
    batch = torch.export.Dim("batch", min=1, max=16)
    compiled = bcr.compile(net, (x,), dynamic_shapes=({0: batch},))
    for n in (1, 2, 3, 7, 16):
        value = torch.randn(n, 3, 17, 13)
        assert relative_error(compiled(value).numpy(), eager(net, value).numpy()) < 1e-5
    with pytest.raises(bcr.InputError, match="16"):
        compiled(torch.randn(17, 3, 17, 13))


class Parts(nn.Module):
    """Results made of parts, some of them read on, returned twice or in another shape."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 5, 1)

    def forward(self, x):
        a = torch.relu(self.first(x))
        b = self.second(a)
        both = torch.cat([a, b, x], 1)
        stacked = torch.stack([a, -a])
        padded = torch.nn.functional.pad(b, (1, 2, 0, 1))
        # As states of layers are: the second is made of the first, which is there twice.
        h = torch.tanh(x[:, :, 0])
        states = torch.stack([h, g := self.second(a)[:, :3, 1] * h, h])
        results = both.flatten(2), both, both.sum(1), stacked, stacked[1], padded.flatten(1), padded
        return *results, states, (g * h).sum(1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dynamic", [False, True])
def test_results_made_of_parts(dynamic, threads):
    model, x = Parts().eval(), torch.randn(2, 3, 6, 7)
    shapes = {"x": {0: torch.export.Dim("batch", min=2, max=9)}} if dynamic else None
    exe = bcr.compile(model, (x,), dynamic_shapes=shapes, num_threads=threads)
    for batch in (2, 5) if dynamic else (2,):
        x = torch.randn(batch, 3, 6, 7)
        for got, want in zip(exe(x), eager(model, x), strict=True):
            torch.testing.assert_close(got, want, rtol=0, atol=1e-5)


def test_nested_containers():
    Pair = namedtuple("Pair", ["left", "right"])

    class Nested(nn.Module):
        def forward(self, items, *, scale):
            total = items["a"] * scale["by"] + items["b"][0]
            return {"sum": total, "same": items["a"], "parts": [total + 1, (total * 2, 7, None)]}

    a, b, s = torch.randn(3, 4), torch.randn(3, 4), torch.randn(4)
    args, kwargs = ({"a": a, "b": [b]},), {"scale": {"by": s}}
    compiled = bcr.compile(Nested(), args, kwargs)
    result = compiled(*args, **kwargs)
    expected = Nested()(*args, **kwargs)
    assert list(result) == list(expected)
    assert torch.equal(result["same"], a)
    assert result["same"].data_ptr() != a.data_ptr()
    assert torch.allclose(result["parts"][1][0], expected["parts"][1][0])
    assert result["parts"][1][1:] == (7, None)
    assert Pair  # a namedtuple in the result is rebuilt with its fields, see test_frontend


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "positional arguments"),
        ((torch.zeros(2, 3, 17, 13), 1), "positional arguments"),
        ((torch.zeros(2, 3, 17, 12),), r"\(2, 3, 17, 12\).*\(2, 3, 17, 13\)"),
        ((torch.zeros(3, 17, 13),), "shape"),
        ((torch.zeros(0, 3, 17, 13),), "shape"),
        ((torch.zeros(2, 3, 17, 13, dtype=torch.float64),), "float64.*float32"),
        ((np.zeros((2, 3, 17, 13), np.int32),), "int32.*float32"),
        (([0.0],), "expected a tensor"),
        (("x",), "expected a tensor"),
    ],
)
def test_wrong_inputs(exe, args, message):
    with pytest.raises(bcr.InputError, match=message):
        exe(*args)


def test_report_and_profile_have_the_order_of_the_network():
    """By name, layer 10 would come before layer 2."""
    net = nn.Sequential(*[nn.Conv1d(2, 2, 1) for _ in range(11)]).eval()
    x = torch.randn(1, 2, 5)
    exe = bcr.compile(net, (x,))
    names = [str(number) for number in range(11)]
    assert [layer.name for layer in exe.report().layers] == names
    assert [layer.name for layer in exe.profile(x, repeats=1).layers] == names


def test_report_names_every_layer_and_why(exe):
    report = exe.report()
    layers = {layer.name: layer for layer in report.layers}
    assert set(layers) == {"stem", "body", "depthwise", "head"}
    assert layers["body"].shape == (20, 180)
    assert layers["body"].verdict == "picked"
    assert 3.5 < layers["body"].rate < 4.5
    assert layers["stem"].verdict != "picked"
    assert layers["stem"].sparsity == 0
    body = layers["body"]
    assert body.value_bytes + body.index_bytes < body.csr_bytes < body.dense_bytes
    text = str(report)
    for name in layers:
        assert name in text
    assert all(layer.reason for layer in report.layers)
    assert report.to_dict()["layers"][0]["name"] == report.layers[0].name


def test_profile_accounts_for_the_call(exe, x):
    profile = exe.profile(x, repeats=5)
    assert {layer.name for layer in profile.layers} == {"stem", "body", "depthwise", "head"}
    assert all(layer.seconds > 0 for layer in profile.layers)
    assert sum(layer.seconds for layer in profile.layers) <= 1.2 * profile.total
    assert "body" in str(profile)


def test_mlir_after_each_stage(exe):
    assert "linalg.conv_2d" in exe.mlir("import")
    assert "bcr.conv2d" in exe.mlir("raise")
    assert "#bcr.form<sparse>" in exe.mlir("select")
    assert "bcr.constant" in exe.mlir("compact")
    assert "bcr.schedule" in exe.mlir("tile")
    assert "vector.fma" in exe.mlir("loops")
    assert "llvm.func" in exe.mlir("llvm")
    assert len(exe.mlir("tile")) < 100_000
    with pytest.raises(bcr.ConfigError, match="unknown stage 'nope'.*raise"):
        exe.mlir("nope")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "riscv"}, "unknown target 'riscv'.*host"),
        ({"target": bcr.Target("aarch64-linux-gnu", "cortex-a999")}, "cortex-a999"),
        ({"target": bcr.Target("nonsense-none", "generic")}, "nonsense"),
        ({"sparsity": "maybe"}, "auto, force, off"),
        ({"num_threads": 0}, "num_threads"),
        ({"target": "cortex-a76", "verify": True}, "does not run here"),
    ],
)
def test_impossible_options(net, x, options, message):
    with pytest.raises(bcr.ConfigError, match=message):
        bcr.compile(net, (x,), **options)


def test_code_for_another_machine_does_not_run_here(net, x):
    arm = bcr.compile(net, (x,), target="cortex-a76")
    with pytest.raises(bcr.ConfigError, match="cannot run on this"):
        arm(x)


def test_scatter_out_of_range_writes_nothing():
    class Put(nn.Module):
        def forward(self, x, at, values):
            return x.index_put((at,), values, accumulate=True)

    model, x, values = Put().eval(), torch.randn(8, 3), torch.randn(3, 3)
    good = torch.tensor([1, -3, 1])
    exe = bcr.compile(model, (x, good, values))
    # So far outside that a write there would end the process.
    for index in (2**40, -(2**40)):
        with pytest.raises(bcr.InputError, match="index out of range"):
            exe(x, torch.tensor([1, index, 5]), values)
    assert relative_error(exe(x, good, values).numpy(), model(x, good, values).numpy()) < 1e-6


def test_index_out_of_range_is_an_error():
    class Lookup(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(10, 4)

        def forward(self, i):
            return self.table(i)

    model = Lookup().eval()
    indices = torch.tensor([[1, 9, 0]])
    compiled = bcr.compile(model, (indices,))
    assert torch.equal(compiled(indices), eager(model, indices))
    for bad in (10, -1, 2**40):
        with pytest.raises(bcr.InputError):
            compiled(torch.tensor([[1, bad, 0]]))


def test_pruned_weights_do_not_meet_infinities():
    model = nn.Linear(32, 8, bias=False)
    with torch.no_grad():
        model.weight.normal_()
        model.weight[:, 3] = 0
        model.weight[:, 20:] = 0
    x = torch.randn(3, 32)
    compiled = bcr.compile(model.eval(), (x,), sparsity="force")
    clean = compiled(x)
    x[0, 3], x[1, 25], x[2, 31] = float("inf"), float("nan"), -float("inf")
    assert torch.equal(compiled(x), clean)
    x[2, 5] = float("inf")
    assert not torch.isfinite(compiled(x)[2]).any()


def test_example_inputs_without_elements():
    with pytest.raises(bcr.UnsupportedError, match=r"at least 1(.|\n)*\(0, 4\)"):
        bcr.compile(nn.Linear(4, 3).eval(), (torch.zeros(0, 4),))


@pytest.mark.parametrize("side", [1, 2, 3, 5])
def test_chains_of_convolutions_on_images_of_less_than_a_vector(side):
    """The buffers between them have the zeros of the padding, and rows closer than a vector."""
    torch.manual_seed(side)
    model = nn.Sequential(*[nn.Conv2d(6, 6, 3, padding=1) for _ in range(3)]).eval()
    bcr.compile(model, (torch.randn(2, 6, side, side),), sparsity="off", verify=True)
