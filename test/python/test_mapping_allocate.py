"""Budgets spread over layers, blocks and rules, on times by a formula."""

import copy
import itertools
import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import bcr
from bcr.mapping import (
    DENSE,
    Budget,
    Choice,
    FisherLoss,
    Form,
    LossIncrease,
    ProjectionError,
    allocate,
    choose_blocks,
    describe,
    map_by_rules,
    recipe,
    save_recipe,
    smallest_block,
)  # fmt: skip
from bcr.mapping.allocation import forms_of
from bcr.mapping.problem import make_problem
from bcr.mapping.splits import with_splits
from mapping_harness import REMAINDER, Formula, make_net

QUIET = {"progress": False}


def weights_of(model):
    return [p.detach().clone() for p in model.parameters()]


# --- layers --------------------------------------------------------------------------------------


def test_layers_are_described_with_their_calls():
    net, x = make_net()
    network = describe(net, x)
    assert [layer.name for layer in network.layers] == ["stem", "body", "point", "hidden", "head"]
    stem, body, point, hidden, _ = network.layers
    assert str(stem.specs[0]) == (
        "conv 2x3x8x6 to 16 kernel 3x3 stride 1x1 padding 1x1 dilation 1x1 groups 1"
    )
    assert len(body.specs) == 2
    assert body.macs == 2 * (2 * 16 * 8 * 6) * 144
    assert point.specs[0].image == (4, 3)
    assert hidden.specs[0].batch == 2
    assert (network.fixed_weights, network.fixed_macs) == (16 * 9, 2 * 16 * 4 * 3 * 9)


def test_the_model_is_left_alone():
    net, x = make_net()
    net.train()
    before = weights_of(net)
    allocate(net, x, Budget(rate=4), blocks=[(4, 16)], **QUIET)
    assert net.training
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(net)))
    assert not any(m._forward_hooks for m in net.modules())


def test_a_layer_that_is_not_called_is_an_error():
    net, x = make_net()
    net.spare = nn.Linear(4, 4)
    with pytest.raises(bcr.ConfigError, match=r"module 'spare' is not called.*exclude=\['spare'\]"):
        describe(net, x)
    assert len(describe(net, x, ["spare"]).layers) == 5


def test_shared_weights_are_one_layer():
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)
            self.b.weight = self.a.weight

        def forward(self, x):
            return self.b(self.a(x))

    torch.manual_seed(1)
    model, x = Twins(), (torch.randn(3, 16),)
    (layer,) = describe(model, x).layers
    assert layer.names == ("a", "b")
    assert len(layer.specs) == 2
    found = allocate(model, x, Budget(rate=4), blocks=[(4, 8)], source=Formula(), **QUIET)
    bcr.Pruner(model, found.config).finalize()
    assert (model.b.weight == 0).double().mean() == 0.75


class Speech(nn.Module):
    """Two recurrent layers, a cell in a loop and a linear layer."""

    def __init__(self, kind=nn.GRU):
        super().__init__()
        self.rnn = kind(6, 16, 2, batch_first=True)
        self.cell = nn.GRUCell(16, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        y = self.rnn(x)[0]
        return self.head(self.cell(y[:, 1], self.cell(y[:, 0])))


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_weights_of_recurrent_layers_are_layers(kind):
    torch.manual_seed(0)
    model, x = Speech(kind).eval(), (torch.randn(3, 7, 6),)
    network = describe(model, x)
    gates = 16 * {nn.GRU: 3, nn.LSTM: 4}[kind]
    assert {layer.name: [str(spec) for spec in layer.specs] for layer in network.layers} == {
        "rnn.weight_ih_l0": [f"linear 21x6 to {gates}"],
        "rnn.weight_hh_l0": [f"{kind.__name__} steps 7 batch 3 state 16 to {gates}"],
        "rnn.weight_ih_l1": [f"linear 21x16 to {gates}"],
        "rnn.weight_hh_l1": [f"{kind.__name__} steps 7 batch 3 state 16 to {gates}"],
        "head": ["linear 3x8 to 5"],
    }
    assert network.layers[1].macs == 21 * gates * 16
    assert network.fixed_weights == 24 * (16 + 8)
    found = allocate(model, x, Budget(rate=3), blocks=[(4, 4)], source=Formula(), **QUIET)
    report = bcr.Pruner.from_yaml(model, recipe(found.config)).finalize()
    chosen = {layer.name for layer in found.layers if layer.choice != DENSE}
    assert {row.name for row in report.pruned} == chosen
    assert any(name.startswith("rnn.weight_hh") for name in chosen)
    assert not (model.cell.weight_hh == 0).any()


def test_a_sequence_of_unknown_lengths_is_an_error():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(6, 16)

        def forward(self, x):
            return self.rnn(nn.utils.rnn.pack_padded_sequence(x, [4, 2]))[1]

    with pytest.raises(bcr.ConfigError, match="GRU is called with a PackedSequence.*exclude="):
        describe(Packed(), (torch.randn(4, 2, 6),))


# --- sensitivity ---------------------------------------------------------------------------------


def test_projection_error_is_the_share_of_energy_lost():
    net, _ = make_net()
    choice = Choice(Form("columns", (4, 8)), 2.0)
    harms = ProjectionError().measure(net, {"hidden": [choice]}, False)
    pruned = bcr.pruning.project(net.hidden.weight, rate=2, block=(4, 8), scheme="columns")
    weight = net.hidden.weight.detach()
    lost = ((weight - pruned) ** 2).sum() / (weight**2).sum()
    harm = harms["hidden"][choice]
    assert harm.loss == pytest.approx(float(lost), rel=1e-5)
    assert harm.kept == 48 * 40 // 2


def test_loss_increase_prunes_one_layer_at_a_time():
    net, (x,) = make_net()
    target = torch.randint(0, 10, (2,))
    choices = [Choice(Form("columns", (4, 8)), rate) for rate in (2.0, 8.0)]
    sensitivity = LossIncrease.on([(x, target)])
    harms = sensitivity.measure(net, {"hidden": choices, "point": choices}, False)

    def cross_entropy(model):
        with torch.no_grad():
            return nn.functional.cross_entropy(model(x), target)

    base = cross_entropy(net)
    for name in ("hidden", "point"):
        worst = 0.0
        for choice in choices:
            other = copy.deepcopy(net)
            layer = getattr(other, name)
            matrix = layer.weight.detach().reshape(layer.weight.shape[0], -1)
            pruned = bcr.pruning.project(
                matrix, rate=choice.rate, block=(4, 8), scheme="columns"
            ).reshape(layer.weight.shape)
            layer.weight.data.copy_(pruned)
            worst = max(worst, float(cross_entropy(other) - base))
            assert harms[name][choice].loss == pytest.approx(worst, abs=1e-6)


def test_fisher_loss_is_that_of_a_quadratic():
    # One linear layer with the loss |Wx - y|^2 / 2: its gradient is (Wx - y) x^T.
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(8, 4, bias=False))
    model[0].weight.requires_grad_(False)
    x, y = torch.randn(5, 8), torch.randn(5, 4)
    sensitivity = FisherLoss(
        [(x[:3], y[:3]), (x[3:], y[3:])], lambda a, b: ((a - b) ** 2).sum() / 2
    )
    choice = Choice(Form("columns", (2, 4)), 2.0)
    harm = sensitivity.measure(model, {"0": [choice]}, False)["0"][choice]
    weight = model[0].weight
    gradients = torch.stack([torch.outer(weight @ a - b, a) for a, b in zip(x, y)])
    pruned = bcr.pruning.project(weight, rate=2, block=(2, 4), scheme="columns")
    expected = (gradients.square().mean(0) * (weight - pruned).square()).sum() / 2
    assert harm.loss == pytest.approx(float(expected), rel=1e-5)
    assert harm.kept == 16
    assert not model[0].weight.requires_grad
    with pytest.raises(bcr.ConfigError, match="needs a sample"):
        FisherLoss([]).measure(model, {"0": [choice]}, False)


def test_a_loss_that_is_no_number_is_an_error():
    net, _ = make_net()
    choices = {"hidden": [Choice(Form("columns", (4, 8)), 2.0)]}
    with pytest.raises(bcr.ConfigError, match="the loss of the dense model is nan"):
        LossIncrease(lambda model: math.nan).measure(net, choices, False)


# --- blocks --------------------------------------------------------------------------------------


def test_the_smallest_block_that_is_fast():
    times = {
        Form("columns", (4, 16)): 1.2,
        Form("columns", (8, 16)): 1.04,
        Form("columns", (4, 32)): 1.03,
        Form("columns", (16, 64)): 1.0,
        Form("columns", "matrix"): 1.01,
    }
    matrix = (64, 512)
    assert smallest_block(times, matrix).block == (4, 32)
    assert smallest_block(times, matrix, tolerance=0.2).block == (4, 16)
    assert smallest_block(times, matrix, tolerance=0.0).block == (16, 64)
    with pytest.raises(bcr.ConfigError, match="tolerance"):
        smallest_block(times, matrix, tolerance=-0.1)
    with pytest.raises(bcr.ConfigError, match="measured"):
        smallest_block({}, matrix)


def test_blocks_that_are_clipped_to_the_same_are_asked_for_once():
    net, x = make_net()
    source = Formula()
    allocate(net, x, Budget(rate=2), schemes=["columns"], blocks=[(8, 16), (8, 64), (8, 640)],
             rates=[2, 4], source=source, exclude=["stem", "body", "head"], **QUIET)  # fmt: skip
    ((specs, choices),) = source.asked
    names = [[str(choice) for choice in some] for some in choices]
    assert [spec.matrix for spec in specs] == [(40, 16), (48, 40)]
    assert names[0] == ["columns 8x16 rate 2", "columns 8x16 rate 4"]
    assert {name.split(" rate")[0] for name in names[1]} == {"columns 8x16", "columns 8x40"}


def test_each_layer_gets_its_block_at_one_rate():
    net, x = make_net()
    options = {"source": Formula(), "exclude": ["stem", "body", "head"], "scheme": "columns"}
    # Eight rows take 1.1 / 1.2 of the time of four, sixteen no less.
    blocks = [(4, 8), (8, 8), (16, 8), (8, 32)]
    strict = choose_blocks(net, x, 6, blocks=blocks, **options, **QUIET)
    assert {str(layer.choice) for layer in strict.layers} == {"columns 8x8 rate 6"}
    loose = choose_blocks(net, x, 6, blocks=blocks, tolerance=0.1, **options, **QUIET)
    assert {str(layer.choice) for layer in loose.layers} == {"columns 4x8 rate 6"}
    assert loose.after > strict.after
    report = bcr.Pruner(net, strict.config).finalize()
    assert [row.rate_asked for row in report.pruned] == [6, 6]


def test_times_are_asked_for_as_the_weights_split_rows_and_columns():
    model = nn.Sequential(nn.Linear(16, 16))
    with torch.no_grad():
        # Two rows of four hold nearly all; with these gone, nothing is left to choose by rows.
        model[0].weight.normal_(generator=torch.Generator().manual_seed(0))
        model[0].weight[2::4] *= 0.001
        model[0].weight[3::4] *= 0.001
    wide, tall = Choice(Form("both", (4, 8)), 4.0), Choice(Form("both", (1, 8)), 4.0)
    columns = Choice(Form("columns", (4, 8)), 4.0)
    found = with_splits(model, {"0": [wide, tall, columns]}, False)["0"]
    assert str(found[wide]) == "both 4x8 rate 4 rows 2"
    assert str(found[tall]) == "columns 1x8 rate 4"
    assert found[columns] == columns
    source = Formula()
    allocate(model, (torch.ones(1, 16),), Budget(rate=3.9), schemes=["both"], blocks=[(4, 8)],
             rates=[4], source=source, **QUIET)  # fmt: skip
    assert [str(choice) for choice in source.asked[0][1][0]] == ["both 4x8 rate 4 rows 2"]


# --- budgets -------------------------------------------------------------------------------------


def brute_force(problem):
    """The least harm of all combinations within the budget."""
    best = math.inf
    layers = problem.network.layers
    for pick in itertools.product(*(problem.options[layer.name] for layer in layers)):
        cost = sum(problem.cost(layer, option) for layer, option in zip(layers, pick))
        if cost <= problem.available * (1 + 1e-12):
            best = min(best, sum(option.harm for option in pick))
    return best


BUDGETS = [
    Budget(rate=5),
    Budget(flops=2.5e5),
    Budget(bytes=14000),
    Budget(latency=2.5e-5),
]


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: budget.kind)
def test_a_budget_is_met_with_the_least_harm(budget):
    net, x = make_net()
    problem = make_problem(
        net, x, budget, forms=lambda layer: forms_of(["columns", "both"], [(4, 8)]),
        rates=[2, 8], source=Formula(), **QUIET,
    )  # fmt: skip
    options = problem.require_solution()
    assert sum(option.harm for option in options.values()) == pytest.approx(brute_force(problem))
    assert 0 < sum(option.harm for option in options.values()) < 4
    found = allocate(net, x, budget, blocks=[(4, 8)], rates=[2, 8], source=Formula(), **QUIET)
    assert found.harm == pytest.approx(brute_force(problem))
    # What the report says, counted once more in the pruned model.
    bcr.Pruner(net, found.config).finalize()
    kept = {n: int((m.weight != 0).sum()) for n, m in net.named_modules() if hasattr(m, "weight")}
    layers = describe(net, x).layers
    assert [layer.kept for layer in found.layers] == [kept[layer.name] for layer in layers]
    if budget.kind == "rate":
        assert found.rate >= 5
    elif budget.kind == "flops":
        depthwise = 2 * (2 * 16 * 4 * 3 * 9)
        flops = sum(2 * kept[layer.name] * layer.macs / layer.weights for layer in layers)
        assert flops + depthwise <= budget.flops
    elif budget.kind == "bytes":
        assert sum(layer.bytes for layer in found.layers) + 4 * 144 <= budget.bytes
    else:
        assert found.after <= budget.latency
        assert found.after == pytest.approx(REMAINDER + sum(layer.after for layer in found.layers))
        assert found.before == pytest.approx(
            REMAINDER + sum(layer.before for layer in found.layers)
        )


def test_a_sensitive_layer_is_spared():
    net, x = make_net()

    def loss(model):
        # Only what `hidden` loses does harm, and what `point` loses a little.
        lost = [(m.weight == 0).double().mean() for m in (model.hidden, model.point)]
        return float(10 * lost[0] + 0.01 * lost[1])

    found = allocate(
        net, x, Budget(rate=2.5), sensitivity=LossIncrease(loss), blocks=[(4, 8)], **QUIET
    )
    rates = {layer.name: layer.choice.rate for layer in found.layers}
    assert rates["hidden"] == 1
    assert rates["body"] >= 8


def test_a_budget_that_cannot_be_met_says_what_can():
    net, x = make_net()
    with pytest.raises(bcr.ConfigError, match=r"rate=40: the highest rate that .* is 4;"):
        allocate(net, x, Budget(rate=40), blocks=[(4, 8)], rates=[2, 4], **QUIET)
    with pytest.raises(bcr.ConfigError, match=r"the lowest latency that .* is (\S+);") as e:
        allocate(net, x, Budget(latency=1e-6), rates=[4], source=Formula(), **QUIET)
    least = float(str(e.value).split(" is ")[1].split(";")[0])
    allocate(net, x, Budget(latency=1.001 * least), rates=[4], source=Formula(), **QUIET)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "got none"),
        ({"rate": 2, "latency": 1}, "got rate and latency"),
        ({"rate": 0.5}, "at least 1"),
        ({"latency": 0}, "above 0"),
        ({"bytes": math.inf}, "finite"),
        ({"flops": True}, "finite"),
    ],
)
def test_an_impossible_budget_is_refused(values, message):
    with pytest.raises(bcr.ConfigError, match=message):
        Budget(**values)


def test_a_scheme_is_open_to_the_layers_that_it_applies_to():
    net, x = make_net()
    options = {"blocks": [(4, 8)], "rates": [4, 8], "source": Formula(pattern=0.1), **QUIET}
    found = allocate(net, x, Budget(latency=2e-5), schemes=["pattern", "2:4", "both"], **options)
    assert {layer.name for layer in found.layers if "pattern" in str(layer.choice)} <= {
        "stem", "body"
    }  # fmt: skip
    assert {layer.choice.rate for layer in found.layers if "2:4" in str(layer.choice)} <= {2}
    bcr.Pruner(net, found.config).finalize()
    with pytest.raises(bcr.ConfigError, match="schemes is 'patern'.*Did you mean 'pattern'"):
        allocate(net, x, Budget(latency=2e-5), schemes=["patern"], **options)


def test_public_names_are_no_modules():
    code = (
        "import bcr.mapping as m; print([n for n in m.__all__ if type(getattr(m, n)) is type(m)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_a_choice_that_nobody_can_measure_is_not_open():
    net, x = make_net()
    unknown = {f"{s} 4x8 rate 2" for s in ("columns", "both")} | {"head"}
    options = {"blocks": [(4, 8)], "rates": [2, 8, 16], **QUIET}
    known = allocate(net, x, Budget(latency=1.6e-5), source=Formula(), **options)
    assert 2 in {layer.choice.rate for layer in known.layers}
    found = allocate(net, x, Budget(latency=1.6e-5), source=Formula(unknown=unknown), **options)
    assert {layer.choice.rate for layer in found.layers} <= {1, 8, 16}
    head = found.layers[-1]
    assert (head.name, head.choice, head.before) == ("head", DENSE, 0.0)


def test_the_table_shows_each_layer():
    net, x = make_net()
    found = allocate(net, x, Budget(latency=2.5e-5), blocks=[(4, 8)], rates=[2, 8],
                     source=Formula(), **QUIET)  # fmt: skip
    text = str(found)
    for layer in found.layers:
        (line,) = (line for line in text.splitlines() if line.split()[:1] == [layer.name])
        assert f" {layer.choice.rate:g}x " in line
        assert ("4x8" in line) == (layer.choice != DENSE)
    assert "latency asked: 25.0 µs" in text
    assert "a call:" in text


# --- recipes -------------------------------------------------------------------------------------


def test_a_recipe_goes_through_yaml(tmp_path):
    net, x = make_net()
    found = allocate(net, x, Budget(rate=5), blocks=[(4, 8)], method="oneshot", **QUIET)
    save_recipe(found.config, tmp_path / "r.yaml", "made by a test\nof two lines")
    text = (tmp_path / "r.yaml").read_text()
    assert text.startswith("# made by a test\n# of two lines\n")
    assert bcr.PruneConfig.from_yaml(tmp_path / "r.yaml") == found.config
    pruner = bcr.Pruner.from_yaml(net, recipe(found.config))
    report = pruner.finalize()
    chosen = {layer.name: layer.choice for layer in found.layers if layer.choice != DENSE}
    assert {row.name: row.rate_asked for row in report.pruned} == {
        name: choice.rate for name, choice in chosen.items()
    }
    assert report.rate_of_model < found.rate
    assert not (net.depthwise.weight == 0).any()


# --- rules ---------------------------------------------------------------------------------------


def schemes_of(found):
    return {layer.name: layer.choice.form and layer.choice.form.scheme for layer in found.layers}


def test_rules_give_patterns_to_3x3_layers_of_hard_tasks():
    net, x = make_net()
    budget, options = Budget(latency=1.4e-5), {"blocks": [(4, 8)], "rates": [4, 8, 16], **QUIET}
    hard = map_by_rules(net, x, budget, source=Formula(pattern=0.9), **options)
    schemes = schemes_of(hard)
    assert (schemes["body"], schemes["hidden"]) == ("pattern", "both")
    assert schemes["stem"] in ("pattern", None)
    assert schemes["point"] in ("both", None)
    easy = map_by_rules(net, x, budget, hard_task=False, source=Formula(pattern=0.9), **options)
    assert set(schemes_of(easy).values()) <= {"both", None}
    assert schemes_of(easy)["body"] == "both"
    reasons = {layer.name: layer.reason for layer in hard.layers}
    assert reasons["body"] == "3x3, hard task"
    assert "3x3, hard task" in str(hard)
    bcr.Pruner.from_yaml(net, recipe(hard.config)).finalize()
    assert (net.body.weight != 0).sum((2, 3)).max() <= 4


def test_rules_leave_patterns_that_are_slow_here():
    net, x = make_net()
    found = map_by_rules(net, x, Budget(latency=1.4e-5), source=Formula(pattern=3.0),
                         blocks=[(4, 8)], rates=[4, 8, 16], **QUIET)  # fmt: skip
    assert schemes_of(found)["body"] == "both"
    reasons = {layer.name: layer.reason for layer in found.layers}
    assert reasons["body"] == "3x3, but patterns are slower here than blocks"
