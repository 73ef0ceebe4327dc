"""Recurrent layers: import without unrolling, and results against eager PyTorch."""

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree

import bcr

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
        assert exe.mlir("loops").count("math.tanh") == 2, "one copy of the cell for each direction"
        sizes[steps] = len(exe.program.code)
    # The tiles of the input's products depend on how many there are, up to a point.
    assert max(sizes.values()) < 4 * min(sizes.values())


def test_a_thousand_steps_stay_close():
    model = seeded(nn.GRU(FEATURES, 40))
    exe = bcr.compile(model, (X,), dynamic_shapes=({0: torch.export.Dim("T")},))
    assert difference(exe, model, (make_input(1000, SAMPLES, FEATURES),)) <= SEQUENCE
