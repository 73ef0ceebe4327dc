"""Recurrent layers: import without unrolling, and results against eager PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils import _pytree as pytree

import bcr
from bcr import reference
from bcr.emulate import Emulator

STEPS, SAMPLES, FEATURES = 9, 3, 5
ONE_STEP, SEQUENCE = 1e-5, 1e-4
"""Largest difference to eager PyTorch after one step, and after a thousand."""


def make_input(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(model, seed=0):
    """Give a model weights that are all different and keep its states apart."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.8 / parameter.shape[-1] ** 0.5
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def difference(exe, model, args):
    with torch.no_grad():
        want = pytree.tree_leaves(model(*args))
    got = pytree.tree_leaves(exe(*args))
    assert [w.shape for w in want] == [g.shape for g in got]
    return max(float((w - g).abs().max()) for w, g in zip(want, got))


X = make_input(STEPS, SAMPLES, FEATURES)
LAYERS = {
    "gru": (lambda: nn.GRU(FEATURES, 7), (X,)),
    "lstm": (lambda: nn.LSTM(FEATURES, 19), (X,)),
    "rnn_tanh": (lambda: nn.RNN(FEATURES, 7), (X,)),
    "rnn_relu": (lambda: nn.RNN(FEATURES, 33, nonlinearity="relu"), (X,)),
    "gru_everything": (
        lambda: nn.GRU(
            FEATURES, 7, 2, bias=False, batch_first=True, dropout=0.5, bidirectional=True
        ),
        (X, make_input(4, STEPS, 7, seed=2)),
    ),
    "lstm_everything": (
        lambda: nn.LSTM(FEATURES, 7, 3, batch_first=True, bidirectional=True, proj_size=4),
        (X, (make_input(6, STEPS, 4, seed=2), make_input(6, STEPS, 7, seed=3))),
    ),
    "lstm_projected_without_bias": (
        lambda: nn.LSTM(FEATURES, 37, bias=False, proj_size=2),
        (X,),
    ),
    "rnn_two_directions": (lambda: nn.RNN(FEATURES, 6, bidirectional=True, bias=False), (X,)),
    "without_batch": (lambda: nn.GRU(FEATURES, 70), (X[:, 0],)),
    "one_step": (lambda: nn.LSTM(FEATURES, 8), (X[:1],)),
    "many_samples": (lambda: nn.GRU(FEATURES, 20), (make_input(4, 21, FEATURES),)),
    "gru_cell": (lambda: nn.GRUCell(FEATURES, 7), (X[0], make_input(3, 7, seed=2))),
    "gru_cell_from_zero": (lambda: nn.GRUCell(FEATURES, 7, bias=False), (X[0],)),
    "lstm_cell": (
        lambda: nn.LSTMCell(FEATURES, 9),
        (X[0], (make_input(3, 9, seed=2), make_input(3, 9, seed=3))),
    ),
    "rnn_cell_tanh": (lambda: nn.RNNCell(FEATURES, 7), (X[0, 0],)),
    "rnn_cell_relu": (
        lambda: nn.RNNCell(FEATURES, 7, nonlinearity="relu"),
        (X[0], make_input(3, 7, seed=2)),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_and_cells_are_those_of_torch(name):
    make, args = LAYERS[name]
    model = seeded(make())
    exe = bcr.compile(model, args)
    assert difference(exe, model, args) <= ONE_STEP


@pytest.mark.parametrize("free", ["steps", "samples", "both"])
def test_sequence_and_batch_may_be_dynamic(free):
    axes = {"steps": (0,), "samples": (1,), "both": (0, 1)}[free]
    dims = {axis: torch.export.Dim(("T", "N")[axis]) for axis in axes}
    model = seeded(nn.LSTM(FEATURES, 19, bidirectional=True))
    exe = bcr.compile(model, (X,), dynamic_shapes=(dims,))
    for steps, samples in ((STEPS, SAMPLES), (31, 5), (2, 2)):
        shape = (steps if 0 in axes else STEPS, samples if 1 in axes else SAMPLES, FEATURES)
        assert difference(exe, model, (make_input(*shape, seed=4),)) <= ONE_STEP


def test_linear_layers_with_two_dynamic_sizes_keep_their_samples_apart():
    dims = {0: torch.export.Dim("T"), 1: torch.export.Dim("N")}
    model = seeded(nn.Linear(FEATURES, 4))
    exe = bcr.compile(model, (X,), dynamic_shapes=(dims,))
    assert difference(exe, model, (make_input(7, 2, FEATURES),)) <= ONE_STEP


def test_exported_programs_are_not_unrolled_either():
    model = seeded(nn.GRU(FEATURES, 7, 2))
    program = torch.export.export(model, (X,), strict=False)
    exe = bcr.compile(program, (X,))
    assert difference(exe, model, (X,)) <= ONE_STEP
    assert sorted(layer.op for layer in exe.report().layers) == ["gru", "gru", "matmul", "matmul"]


def test_code_does_not_depend_on_the_number_of_steps():
    model = seeded(nn.GRU(FEATURES, 16, bidirectional=True))
    sizes = {}
    for steps in (10, 100, 10_000):
        exe = bcr.compile(model, (make_input(steps, 1, FEATURES),))
        assert exe.mlir("raise").count("bcr.recurrent") == 2, "one for each direction"
        # A sigmoid, or one for each of two gates, and a tangent; both are tangents or exponentials.
        functions = [exe.mlir("loops").count(name) for name in ("math.tanh", "scalef")]
        assert sum(functions) in (2 * 2, 2 * 3), "a cell for each direction"
        sizes[steps] = len(exe.program.code)
    # The tiles of the input's products depend on how many there are, up to a point.
    assert max(sizes.values()) < 4 * min(sizes.values())


def test_a_thousand_steps_stay_close():
    model = seeded(nn.GRU(FEATURES, 40))
    exe = bcr.compile(model, (X,), dynamic_shapes=({0: torch.export.Dim("T")},))
    assert difference(exe, model, (make_input(1000, SAMPLES, FEATURES),)) <= SEQUENCE


def prune_blocks(weight, block, seed):
    """Zero whole rows and columns of blocks, others in each block; some blocks lose everything."""
    rng = np.random.default_rng(seed)
    matrix = weight.detach()
    for r in range(0, matrix.shape[0], block[0]):
        for c in range(0, matrix.shape[1], block[1]):
            part = matrix[r : r + block[0], c : c + block[1]]
            rows, columns = rng.choice([0.0, 0.3, 0.6, 1.0], 2, p=[0.2, 0.4, 0.3, 0.1])
            part[torch.tensor(rng.random(part.shape[0]) < rows)] = 0
            part[:, torch.tensor(rng.random(part.shape[1]) < columns)] = 0


def prune_bsp(weight, seed):
    """RTMobile's two steps: columns inside blocks, the same for all their rows; then whole rows."""
    rng = np.random.default_rng(seed)
    matrix = weight.detach()
    for part in matrix.split(13, dim=1):
        part[:, torch.tensor(rng.random(part.shape[1]) < 0.7)] = 0
    matrix[torch.tensor(rng.random(matrix.shape[0]) < 0.4)] = 0


PRUNINGS = {
    "rows and columns of ragged blocks": lambda w: prune_blocks(w, (16, 10), 1),
    "blocks across gates": lambda w: prune_blocks(w, (7, 999), 2),
    "two steps": lambda w: prune_bsp(w, 3),
    "a gate without weights": lambda w: w.detach()[: w.shape[1]].zero_(),
    "no weights at all": lambda w: w.detach().zero_(),
}


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
@pytest.mark.parametrize("name", PRUNINGS)
def test_pruned_layers_are_those_of_torch_and_of_the_reference(kind, name):
    model = seeded(kind(21, 37))
    for weight in (model.weight_ih_l0, model.weight_hh_l0):
        PRUNINGS[name](weight)
    h, c = make_input(1, SAMPLES, 37, seed=2), make_input(1, SAMPLES, 37, seed=3)
    lstm = kind is nn.LSTM
    args = (make_input(STEPS, SAMPLES, 21), (h, c) if lstm else h)
    exe = bcr.compile(model, args, sparsity="force")
    assert difference(exe, model, args) <= ONE_STEP
    assert {layer.verdict for layer in exe.report().layers} == {"picked"}
    weights = [p.detach().numpy() for p in model.parameters()]
    want = reference.recurrent(
        kind.__name__.lower(), args[0].numpy(), *weights, h[0].numpy(), c[0].numpy()
    )
    got = pytree.tree_leaves(exe(*args))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.numpy().reshape(b.shape), b, rtol=0, atol=ONE_STEP)


@pytest.mark.parametrize("name", PRUNINGS)
def test_pruned_projections_are_those_of_torch_and_of_the_reference(name):
    model = seeded(nn.LSTM(21, 37, proj_size=26))
    for weight in (model.weight_ih_l0, model.weight_hh_l0, model.weight_hr_l0):
        PRUNINGS[name](weight)
    states = make_input(1, SAMPLES, 26, seed=2), make_input(1, SAMPLES, 37, seed=3)
    args = (make_input(STEPS, SAMPLES, 21), states)
    exe = bcr.compile(model, args, sparsity="force")
    assert difference(exe, model, args) <= ONE_STEP
    layer = {row.name: row for row in exe.report().layers}["weight_hr_l0"]
    assert (layer.op, layer.shape, layer.verdict) == ("matmul", (26, 37), "picked")
    assert layer.positions == STEPS * SAMPLES
    kept = model.weight_hr_l0.count_nonzero().item()
    assert 4 * kept <= layer.value_bytes < 4 * (26 * 37 if kept else 1)
    y, h, c = reference.recurrent(
        "lstm",
        args[0].numpy(),
        *(p.detach().numpy() for p in list(model.parameters())[:4]),
        *(state[0].numpy() for state in states),
        projection=model.weight_hr_l0.detach().numpy(),
    )
    got = pytree.tree_leaves(exe(*args))
    for a, b in zip(got, (y, h, c), strict=True):
        np.testing.assert_allclose(a.numpy().reshape(b.shape), b, rtol=0, atol=ONE_STEP)


def test_pruned_projections_in_both_directions_with_dynamic_sizes_and_two_threads():
    model = seeded(nn.LSTM(FEATURES, 70, 2, bidirectional=True, proj_size=33))
    for name, weight in model.named_parameters():
        if name.startswith("weight_hr"):
            prune_blocks(weight, (8, 16), len(name))
    dims = {0: torch.export.Dim("T"), 1: torch.export.Dim("N")}
    for threads in (1, 2):
        exe = bcr.compile(
            model, (X,), sparsity="force", dynamic_shapes=(dims,), num_threads=threads
        )
        for steps, samples in ((STEPS, SAMPLES), (31, 1), (2, 18)):
            x = make_input(steps, samples, FEATURES, seed=4)
            assert difference(exe, model, (x,)) <= ONE_STEP
    exe = bcr.compile(model, (make_input(1000, 1, FEATURES),), sparsity="force")
    assert difference(exe, model, (make_input(1000, 1, FEATURES, seed=8),)) <= SEQUENCE
    assert "weight_hr_l1_reverse" not in str(exe.profile(make_input(1000, 1, FEATURES), repeats=1))


def test_a_pruned_projection_does_not_see_an_infinite_unit():
    model = seeded(nn.LSTM(3, 20, proj_size=6, bias=False))
    model.weight_hr_l0.detach()[:, 5] = 0
    h, c = torch.zeros(1, 1, 6), torch.zeros(1, 1, 20)
    c[0, 0, 5] = float("nan")
    exe = bcr.compile(model, (make_input(1, 1, 3), (h, c)), sparsity="force")
    y, (_, c) = exe(make_input(1, 1, 3), (h, c))
    assert y.isfinite().all()
    assert c.isnan().sum() == 1


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    kind=st.sampled_from(["gru", "lstm", "projected", "rnn_tanh", "rnn_relu"]),
    units=st.integers(1, 70),
    features=st.integers(1, 40),
    steps=st.integers(1, 7),
    samples=st.sampled_from([1, 1, 2, 5, 17]),
    block=st.tuples(st.sampled_from([1, 3, 8, 16, 999]), st.sampled_from([1, 7, 16, 999])),
    bias=st.booleans(),
    bidirectional=st.booleans(),
    seed=st.integers(0, 999),
)
def test_any_layer(kind, units, features, steps, samples, block, bias, bidirectional, seed):
    options = {"bias": bias, "bidirectional": bidirectional}
    if kind.startswith("rnn"):
        model = nn.RNN(features, units, nonlinearity=kind.removeprefix("rnn_"), **options)
    elif kind == "projected" and units > 1:
        model = nn.LSTM(features, units, proj_size=units // 2, **options)
    else:
        model = {"gru": nn.GRU}.get(kind, nn.LSTM)(features, units, **options)
    seeded(model, seed)
    for name, parameter in model.named_parameters():
        if name.startswith("weight"):
            prune_blocks(parameter, block, seed)
    args = (make_input(steps, samples, features, seed=seed),)
    for sparsity in ("force", "off"):
        exe = bcr.compile(model, args, sparsity=sparsity)
        assert difference(exe, model, args) <= ONE_STEP, sparsity


def test_pruned_weights_do_not_see_an_infinite_state():
    model = seeded(nn.RNN(3, 20, nonlinearity="relu"))
    model.weight_hh_l0.detach()[:, 5] = 0
    h = torch.ones(1, 1, 20)
    h[0, 0, 5] = float("inf")
    exe = bcr.compile(model, (make_input(1, 1, 3), h), sparsity="force")
    assert exe(make_input(1, 1, 3), h)[0].isfinite().all()


def test_a_thousand_steps_of_a_pruned_layer_stay_close():
    model = seeded(nn.LSTM(FEATURES, 40))
    prune_blocks(model.weight_hh_l0, (8, 8), 5)
    exe = bcr.compile(model, (make_input(1000, 1, FEATURES),), sparsity="force")
    assert difference(exe, model, (make_input(1000, 1, FEATURES, seed=8),)) <= SEQUENCE


def test_packed_sequences_are_refused_by_name():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(FEATURES, 7)

        def forward(self, x):
            packed = nn.utils.rnn.pack_padded_sequence(x, [9, 4, 2])
            return nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0])[0]

    with pytest.raises(bcr.UnsupportedError):
        bcr.compile(Packed().eval(), (X,))


@pytest.mark.parametrize("units", [16, 12])
def test_sigmoid_and_tanh_keep_their_bounds(units):
    class Both(nn.Module):
        def forward(self, x):
            return torch.sigmoid(x), torch.tanh(x)

    scale = torch.logspace(-38, 2.5, 60_000)
    ends = torch.tensor([0.0, float("inf"), float("nan")])
    x = torch.cat([torch.linspace(-30, 30, 200_001), scale, -scale, ends, -ends])
    wide = x.double()
    sigmoid, tanh = bcr.compile(Both().eval(), (x,))(x)
    # The recurrent kernel's own: an RNN that sees nothing but its input.
    line = nn.RNN(units, units, bias=False).eval()
    line.weight_ih_l0.detach().copy_(torch.eye(units))
    line.weight_hh_l0.detach().zero_()
    row = x[: x.numel() // units * units].reshape(-1, 1, units).nan_to_num()
    steps, _ = bcr.compile(line, (row,))(row)
    # Of a GRU that keeps a state of one by its gate z alone, whose weights are the second ones.
    gate = nn.GRUCell(units, units, bias=False).eval()
    gate.weight_ih.detach().zero_()[units : 2 * units] = torch.eye(units)
    gate.weight_hh.detach().zero_()
    one = torch.ones(len(row), units)
    z = bcr.compile(gate, (row[:, 0], one))(row[:, 0], one)
    for got, want, bound in (
        (sigmoid, torch.sigmoid(wide), 1e-7),
        (tanh, torch.tanh(wide), 3e-7),
        (steps, torch.tanh(row.double()), 3e-7),
        (z, torch.sigmoid(row[:, 0].double()), 2e-7),
    ):
        torch.testing.assert_close(got.double(), want, rtol=0, atol=bound, equal_nan=True)


def prune_lightly(model):
    prune_blocks(model.rnn.weight_hh_l0, (8, 16), 1)
    prune_blocks(model.rnn.weight_ih_l1, (8, 16), 2)


class Speech(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(13, 40, 2)
        self.words = nn.Linear(40, 5)

    def forward(self, frame, h):
        y, h = self.rnn(frame, h)
        return self.words(y), h


def test_saved_reported_profiled_and_on_two_threads(tmp_path):
    model = seeded(Speech())
    prune_lightly(model)
    args = (make_input(6, 1, 13), make_input(2, 1, 40, seed=2))
    exe = bcr.compile(model, args, sparsity="force", num_threads=2)
    assert difference(exe, model, args) <= ONE_STEP
    exe.save(tmp_path / "speech.bcr")
    assert difference(bcr.load(tmp_path / "speech.bcr"), model, args) <= ONE_STEP
    rows = {layer.name: layer for layer in exe.report().layers}
    assert rows["rnn.weight_hh_l0"].op == "gru"
    assert rows["rnn.weight_hh_l0"].shape == (120, 40)
    assert rows["rnn.weight_hh_l0"].positions == 6
    assert rows["rnn.weight_hh_l0"].verdict == "picked"
    assert rows["rnn.weight_ih_l1"].op == "matmul"
    assert rows["rnn.weight_hh_l1"].verdict == "dense"
    assert "rnn.weight_hh_l1" in str(exe.profile(*args, repeats=3))


def test_aarch64_under_emulation():
    model = seeded(Speech())
    prune_lightly(model)
    args = (make_input(6, 1, 13), make_input(2, 1, 40, seed=2))
    exe = bcr.compile(model, args, target="cortex-a76", sparsity="force")
    with torch.no_grad():
        want = model(*args)
    with Emulator(exe) as run:
        for got, expected in zip(run(*(a.numpy() for a in args)), want, strict=True):
            np.testing.assert_allclose(
                got.reshape(expected.shape), expected.numpy(), rtol=0, atol=ONE_STEP
            )


class Packing(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(FEATURES, 6)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([9, 5, 2]))
        return nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0])[0]


def test_packed_sequences_are_refused_with_a_remedy():
    packed = nn.utils.rnn.pack_padded_sequence(X, torch.tensor([9, 5, 2]))
    with pytest.raises(bcr.UnsupportedError, match="an input of GRU is a packed sequence") as error:
        bcr.compile(nn.GRU(FEATURES, 6).eval(), (packed,))
    assert "Pass padded sequences" in str(error.value)
    where = r"Packing at .*test_recurrent.py:\d+ makes a packed sequence"
    with pytest.raises(bcr.UnsupportedError, match=where):
        bcr.compile(Packing().eval(), (X,))
