"""Pruning the weight matrices of recurrent modules."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import bcr


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(20, 24, 2, bidirectional=True)
        self.cell = nn.LSTMCell(48, 16)
        self.head = nn.Linear(16, 8)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(self.cell(y[-1])[0])


def zeros(parameter):
    return float((parameter == 0).float().mean())


def make_pruner(model, **overrides):
    return bcr.Pruner(model, bcr.PruneConfig(rate=4, block=(8, 8), **overrides))


def test_each_matrix_is_a_layer_named_after_its_parameter():
    model = Net()
    report = make_pruner(model).finalize()
    names = [row.name for row in report.rows]
    matrices = [name for name, p in model.named_parameters() if p.dim() == 2]
    assert names == [name.removesuffix(".weight") for name in matrices]
    assert {row.type for row in report.rows} == {"GRU", "LSTMCell", "Linear"}
    for name in matrices:
        assert zeros(model.get_parameter(name)) == 0.75, name
    assert zeros(model.rnn.bias_hh_l0) == 0


def test_projections_are_pruned_and_may_be_left_dense():
    model = torch.nn.LSTM(16, 32, 2, proj_size=24)
    report = make_pruner(model, modules={"weight_hr_l1": None}).finalize()
    assert [row.name for row in report.rows if "hr" in row.name] == ["weight_hr_l0", "weight_hr_l1"]
    assert zeros(model.weight_hr_l0) == 0.75
    assert zeros(model.weight_hr_l1) == 0


def test_settings_by_module_by_matrix_and_by_type():
    model = Net()
    make_pruner(
        model,
        modules={"rnn": {"rate": 2}, "rnn.weight_ih_l0": None},
        module_types={"LSTMCell": {"rate": 8}},
    ).finalize()
    assert zeros(model.rnn.weight_ih_l0) == 0
    assert zeros(model.rnn.weight_hh_l0) == 0.5
    assert zeros(model.rnn.weight_hh_l1_reverse) == 0.5
    assert zeros(model.cell.weight_hh) == 0.875
    assert zeros(model.head.weight) == 0.75


def test_a_misspelt_matrix_is_named():
    with pytest.raises(bcr.ConfigError, match=r"'rnn.weight_hh_l2'. Did you mean"):
        make_pruner(Net(), modules={"rnn.weight_hh_l2": None})


def test_zeros_survive_training_until_release():
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    x = torch.randn(3, 2, 20)
    model(x).sum().backward()
    optimizer.step()
    pruner = make_pruner(model)
    pruner.finalize()
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
    assert zeros(model.rnn.weight_hh_l1) == 0.75
    assert not model.rnn.weight_hh_l1.grad[~pruner.masks["rnn.weight_hh_l1"]].any()
    with pytest.raises(bcr.ConfigError, match="rnn.weight_ih_l0' is already pruned"):
        make_pruner(model).finalize()
    pruner.release()
    optimizer.step()
    assert zeros(model.rnn.weight_hh_l1) < 0.1


def test_masks_of_torch_apply_too():
    model = Net()
    prune.random_unstructured(model.cell, "weight_hh", amount=0.5)
    before = model.cell.weight_hh_mask.clone()
    make_pruner(model).finalize()
    after = model.cell.weight_hh != 0
    assert not after[before == 0].any()
    assert torch.equal(model.cell.weight_hh, model.cell.weight_hh_orig * model.cell.weight_hh_mask)
    assert 0.75 <= zeros(model.cell.weight_hh) < 0.9


def test_nothing_is_added_to_the_model():
    model = Net()
    keys, children = set(model.state_dict()), list(model.modules())
    make_pruner(model).finalize()
    assert set(model.state_dict()) == keys
    assert list(model.modules()) == children


@pytest.mark.parametrize(
    ("scheme", "block", "rate", "verdict"),
    [("unstructured", (8, 8), 1.6, "missed"), ("both", (8, 32), 8, "picked")],
)
def test_steps_find_their_weights_in_the_cache(scheme, block, rate, verdict):
    """Dense, 768x256 of a GRU stay in the second cache of this processor from step to step."""
    torch.manual_seed(0)
    model = nn.GRU(32, 256, batch_first=True).eval()
    bcr.Pruner(model, bcr.PruneConfig(rate=rate, block=block, scheme=scheme)).finalize()
    target = bcr.Target("x86_64-pc-linux-gnu", "znver5")
    report = bcr.compile(model, (torch.ones(1, 24, 32),), target=target).report()
    rows = {row.name: row.verdict for row in report.layers}
    assert rows["weight_hh_l0"] == verdict
