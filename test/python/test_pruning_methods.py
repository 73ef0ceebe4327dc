"""Pruning methods that work during training: equations, schedules, resuming, odd training loops."""

import contextlib
import copy
import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bcr import ConfigError, PruneConfig, Pruner
from bcr.pruning.methods.schedule import cubic_rate
from bcr.pruning.registry import METHODS
from bcr.pruning.scheme_names import SCHEMES

# Short schedules: every method has done all that it does within STEPS.
STEPS = 12
OPTIONS = {
    "oneshot": {},
    "gradual": {"begin_step": 1, "end_step": 10, "interval": 3},
    "admm": {"interval": 3, "rho": 0.05, "rho_growth": 2, "begin_step": 1},
    "reweighted": {"interval": 3, "strength": 0.02, "begin_step": 1},
    "scratch": {"interval": 2, "strength": 0.02, "begin_step": 1, "end_step": 9},
}
ALL = pytest.mark.parametrize("method", OPTIONS)


def test_every_method_is_tested():
    assert set(OPTIONS) == set(METHODS)


def config(method, **settings):
    named = {"frozen": {}, "a": {}, "b": {}}  # frozen and shared weights are pruned only by name
    settings = {"rate": 4, "block": (4, 6), "modules": named, **settings}
    return PruneConfig(method=method, method_options=OPTIONS[method], **settings)


class Net(nn.Module):
    """Ragged against a 4 x 6 block; one weight is used twice, one layer is frozen."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        super().__init__()
        self.conv = nn.Conv2d(2, 10, 3, padding=1)
        self.norm = nn.BatchNorm2d(10)
        self.frozen = nn.Linear(40, 14)
        self.frozen.weight.requires_grad_(False)
        self.a = nn.Linear(14, 14)
        self.b = nn.Linear(14, 14)
        self.b.weight = self.a.weight

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.norm(self.conv(x)).relu(), 2).flatten(1)
        return self.b(self.a(self.frozen(x)).relu())


def batch(step, size=8):
    generator = torch.Generator().manual_seed(1000 + step)
    x = torch.randn(size, 2, 6, 6, generator=generator)
    return x, torch.randint(14, (size,), generator=generator)


class Run:
    """A training run with all that a checkpoint has to hold."""

    def __init__(self, pruner_config, optimizer=None, seed=0):
        self.model = Net(seed)
        trained = [p for p in self.model.parameters() if p.requires_grad]
        make = optimizer or (lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9))
        self.optimizer = make(trained)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 4, 0.5)
        self.pruner = Pruner(self.model, pruner_config)

    def train(self, start, stop):
        for step in range(start, stop):
            x, y = batch(step)
            self.optimizer.zero_grad()
            (F.cross_entropy(self.model(x), y) + self.pruner.penalty()).backward()
            self.optimizer.step()
            self.pruner.step()
            self.scheduler.step()
            if step == STEPS:
                self.pruner.finalize()
        return self

    def saved(self):
        parts = (self.model, self.optimizer, self.scheduler, self.pruner)
        file = io.BytesIO()
        torch.save([part.state_dict() for part in parts], file)
        file.seek(0)
        return torch.load(file, weights_only=True)

    def load(self, states):
        parts = (self.model, self.optimizer, self.scheduler, self.pruner)
        for part, state in zip(parts, states):
            part.load_state_dict(state)
        return self


def kept(pruner):
    return {name: int(mask.sum()) for name, mask in pruner.masks.items()}


# 10x18, 14x40 and 14x14 at rate 4.
FULL_RATE = {"conv": 45, "frozen": 140, "a": 49}


def assert_at_full_rate(pruner):
    counts = kept(pruner)
    assert counts.keys() == FULL_RATE.keys()
    for name, full in FULL_RATE.items():
        assert full - 4 - 2 < counts[name] <= full  # less than a column of each size of block


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        assert torch.equal(one[key], other[key]), key


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("stop", [1, 5, STEPS, STEPS + 2])
@ALL
def test_a_resumed_run_is_the_uninterrupted_run(method, stop, optimizer):
    make = {"sgd": None, "adam": lambda p: torch.optim.AdamW(p, lr=0.01)}[optimizer]
    whole = Run(config(method), make).train(0, STEPS + 4)
    states = Run(config(method), make).train(0, stop).saved()
    resumed = Run(config(method), make, seed=9).load(states).train(stop, STEPS + 4)
    assert_same(whole.model.state_dict(), resumed.model.state_dict())
    assert_same(whole.pruner.masks, resumed.pruner.masks)
    assert whole.pruner.finalize() == resumed.pruner.finalize()


@ALL
def test_the_rate_is_reached_exactly_and_held(method):
    run = Run(config(method)).train(0, STEPS + 1)
    assert_at_full_rate(run.pruner)
    report = run.pruner.finalize()
    assert [row.name for row in report.pruned] == list(FULL_RATE)
    before = copy.deepcopy(run.model.state_dict())
    run.train(STEPS + 1, STEPS + 4)
    for name, mask in run.pruner.masks.items():
        weight = run.model.get_submodule(name).weight
        assert not weight[~mask].any()
        assert torch.equal(weight, before[f"{name}.weight"]) == (name == "frozen")


@ALL
def test_finalize_needs_no_finished_schedule(method):
    run = Run(config(method)).train(0, 2)
    expected = pytest.warns(
        UserWarning, match=rf"method '{method}': 2 steps are done, the .* \d+\. "
    )
    with contextlib.nullcontext() if method == "oneshot" else expected:
        run.pruner.finalize()
    assert_at_full_rate(run.pruner)
    assert run.pruner.penalty().item() == 0


@pytest.mark.parametrize("method", ["admm", "reweighted", "scratch"])
def test_a_penalty_that_is_not_in_the_loss_is_noticed(method):
    model = Net()
    pruner = Pruner(model, config(method))
    pruner.step()  # before begin_step, when there is no penalty yet
    pruner.penalty()
    pruner.step()
    with pytest.warns(UserWarning, match=rf"penalty\(\) was not called .* method '{method}'"):
        pruner.step()


@ALL
def test_a_whole_run_warns_of_nothing(method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Run(config(method)).train(0, STEPS + 2)


@ALL
def test_pruning_anew_after_release(method):
    run = Run(config(method)).train(0, STEPS + 2)
    run.pruner.release()
    assert run.pruner.masks == {}
    run.train(STEPS + 1, STEPS + 3)
    run.pruner.finalize()
    assert_at_full_rate(run.pruner)


@pytest.mark.parametrize("scheme", [*SCHEMES, "2:4"])
@ALL
def test_every_method_prunes_by_every_scheme(method, scheme):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(8, 16, 3), nn.Flatten(), nn.Linear(64, 10))
    settings = {"rate": 2 if scheme == "2:4" else 8, "modules": {"2": None}}
    pruner = Pruner(model, config(method, scheme=scheme, block=(8, 18), **settings))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(STEPS):
        x = torch.randn(4, 8, 4, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (F.cross_entropy(model(x), torch.arange(4)) + pruner.penalty()).backward()
        optimizer.step()
        pruner.step()
    (row,) = pruner.finalize().pruned
    # One position of a block of 8 x 4 kernels in nine is 128 weights, with 16 to spare.
    assert row.kept == (128 if scheme == "block-punched" else 16 * 72 // settings["rate"])
    assert int(model[0].weight.count_nonzero()) == row.kept


# --- Digits ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    """Training and test images of scikit-learn's digits, and a small network trained on them."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16
    y = torch.tensor(data.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    parts = (x[order[:1200]], y[order[:1200]], x[order[1200:]], y[order[1200:]])
    model = small_cnn()
    train_digits(model, parts, 150)
    return parts, model


def small_cnn():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def train_digits(model, parts, steps, pruner=None, final=None):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = torch.Generator().manual_seed(1)
    model.train()
    for step in range(steps):
        i = torch.randint(len(parts[0]), (64,), generator=order)
        loss = F.cross_entropy(model(parts[0][i]), parts[1][i])
        if pruner is not None:
            loss = loss + pruner.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if pruner is not None:
            pruner.step()
        scheduler.step()
        if step == final:
            pruner.finalize()


def accuracy(model, parts):
    model.eval()
    with torch.no_grad():
        return float((model(parts[2]).argmax(1) == parts[3]).double().mean())


DIGITS = {
    "oneshot": {},
    "gradual": {"end_step": 80, "interval": 10},
    "admm": {"interval": 10, "rho": 0.1, "rho_growth": 1.3, "rho_max": 10},
    "reweighted": {"interval": 10, "strength": 0.1},
    "scratch": {"begin_step": 20, "end_step": 100, "interval": 10, "strength": 0.1},
}


@pytest.mark.parametrize("method", DIGITS)
def test_digits_survive_a_rate_of_ten(digits, method):
    parts, dense = digits
    settings = PruneConfig(10, (8, 18), method, modules={"0": None}, method_options=DIGITS[method])
    untrained = copy.deepcopy(dense)
    Pruner(untrained, PruneConfig(10, (8, 18), modules={"0": None})).finalize()
    # Training from scratch starts from random weights and has the steps of both trainings.
    model = small_cnn() if method == "scratch" else copy.deepcopy(dense)
    pruner = Pruner(model, settings)
    steps, final = (250, 200) if method == "scratch" else (150, 100)
    train_digits(model, parts, steps, pruner, 0 if method == "oneshot" else final)
    report = pruner.finalize()
    for row in report.pruned:
        assert 10 <= row.rate_reached < 10 * (1 + 3 * 8 / row.kept)
        assert row.kept == int(model.get_submodule(row.name).weight.count_nonzero())
    assert accuracy(dense, parts) > 0.95
    assert accuracy(untrained, parts) < 0.8
    assert accuracy(model, parts) > 0.93


# --- Settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("oneshot", {"rho": 1}, "has 'rho', but the method 'oneshot' has no settings"),
        ("gradual", {}, "has no 'end_step': the method 'gradual' needs it"),
        ("gradual", {"end": 5}, "of the method 'gradual' has no setting 'end'.*'end_step'"),
        ("gradual", {"end_step": 5.0}, r"method_options.end_step is 5.0: it counts optimiser st"),
        ("gradual", {"end_step": True}, "method_options.end_step is True"),
        ("gradual", {"end_step": 5, "interval": 0}, "method_options.interval is 0: .*least 1"),
        ("gradual", {"end_step": 5, "begin_step": -1}, "method_options.begin_step is -1: .*st 0"),
        ("gradual", {"end_step": 5, "begin_step": 5}, "begin_step is 5, not before end_step, 5"),
        ("gradual", {"end_step": 5, "initial_rate": 0.5}, "method_options.initial_rate is 0.5"),
        ("admm", {"rho": 0}, "method_options.rho is 0: it is a finite number above 0"),
        ("admm", {"rho": "1"}, "method_options.rho is '1'"),
        ("admm", {"rho": float("nan")}, "method_options.rho is nan"),
        ("admm", {"rho_growth": 0.9}, "method_options.rho_growth is 0.9: .* of at least 1"),
        ("admm", {"rho": 0.1, "rho_max": 0.01}, "rho_max is 0.01, below rho, 0.1"),
        ("reweighted", {"strength": -1}, "method_options.strength is -1: .* above 0"),
        ("reweighted", {"epsilon": None}, "method_options.epsilon is None"),
        ("reweighted", {"threshold": 1}, "threshold is 1: it is a finite number above 0 and bel"),
        ("scratch", {"begin_step": 3}, "has no 'end_step': the method 'scratch' needs it"),
        ("scratch", {"begin_step": 9, "end_step": 3}, "begin_step is 9, not before end_step, 3"),
        ("admm", [("rho", 1)], r"method_options is \[\('rho', 1\)\], a list: write a mapping"),
    ],
)
def test_impossible_settings_name_the_key(method, options, words):
    with pytest.raises(ConfigError, match=words):
        PruneConfig(rate=4, method=method, method_options=options)


def test_settings_have_a_dict_and_a_yaml_form():
    text = "rate: 4\nmethod: admm\nmethod_options:\n  rho: 0.05\n  interval: 7\n"
    from_yaml = PruneConfig.from_yaml(text)
    assert from_yaml == PruneConfig(4, method="admm", method_options={"rho": 0.05, "interval": 7})
    assert PruneConfig.from_dict(from_yaml.to_dict()) == from_yaml
    assert from_yaml.options.interval == 7
    assert from_yaml.options.rho == 0.05
    assert from_yaml.method_options["rho_growth"] == from_yaml.options.rho_growth


def test_a_state_of_other_layers_is_refused():
    state = Pruner(nn.Linear(12, 8), config("admm", modules={})).state_dict()
    state["method"]["dual"] = {"": torch.zeros(8, 12)}
    wide = Pruner(nn.Linear(18, 8), config("admm", modules={}))
    with pytest.raises(ConfigError, match=r"the state holds no tensor of shape \[8, 18\]"):
        wide.load_state_dict(state)


# --- Gradual ------------------------------------------------------------------------------------


def test_rates_follow_the_equation_of_zhu_and_gupta():
    t0, n, dt, s_i, s_f = 20, 8, 10, 0.5, 0.9
    for k in range(n + 1):
        t = t0 + k * dt
        sparsity = s_f + (s_i - s_f) * (1 - (t - t0) / (n * dt)) ** 3
        rate = cubic_rate(t, begin=t0, end=t0 + n * dt, initial=2, final=10)
        assert 1 - 1 / rate == pytest.approx(sparsity)
    for step, rate in ((0, 2), (t0, 2), (100, 10), (1000, 10)):
        assert cubic_rate(step, begin=t0, end=100, initial=2, final=10) == pytest.approx(rate)
    assert cubic_rate(7, begin=0, end=7, initial=1, final=3) == 3


def test_gradual_prunes_on_schedule_and_holds_in_between():
    layer = nn.Linear(60, 8)
    options = {"begin_step": 4, "end_step": 14, "interval": 4, "initial_rate": 2}
    pruner = Pruner(layer, PruneConfig(10, (8, 1), "gradual", "columns", method_options=options))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(0)
    columns = []
    for _ in range(16):
        optimizer.zero_grad()
        layer(torch.randn(4, 60, generator=generator)).square().sum().backward()
        optimizer.step()
        pruner.step()
        columns.append(int(layer.weight.any(dim=0).sum()))
    due = {4: 0.5, 8: 0.9 - 0.4 * 0.6**3, 12: 0.9 - 0.4 * 0.2**3, 14: 0.9}
    expected, now = [], 60
    for step in range(1, 17):
        now = round(np.floor(60 * (1 - due[step]) + 1e-9)) if step in due else now
        expected.append(now)
    assert columns == expected
    assert columns[-1] == 6
    assert pruner.penalty().item() == 0


def test_an_initial_rate_above_that_of_a_layer_is_cut():
    pruner = Pruner(
        nn.Sequential(nn.Linear(20, 8), nn.Linear(8, 8)),
        PruneConfig(
            8,
            (8, 1),
            "gradual",
            "columns",
            modules={"1": {"rate": 2}},
            method_options={"end_step": 3, "interval": 1, "initial_rate": 4},
        ),
    )
    pruner.step()
    assert kept(pruner)["1"] == 32


# --- ADMM ---------------------------------------------------------------------------------------


def best_columns(matrix, count):
    """The projection onto `count` columns, by definition."""
    order = np.argsort(-(matrix**2).sum(axis=0), kind="stable")
    mask = np.zeros(matrix.shape[1], bool)
    mask[order[:count]] = True
    return matrix * mask


def test_admm_follows_its_equations():
    layer = nn.Linear(6, 4, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 1.3, 24).reshape(4, 6).sin())
    goal = torch.linspace(2, -1, 24, dtype=torch.float64).reshape(4, 6)
    options = {"interval": 2, "rho": 0.5, "rho_growth": 3, "rho_max": 2, "begin_step": 1}
    pruner = Pruner(
        layer, PruneConfig(2, "matrix", "admm", scheme="columns", method_options=options)
    )
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)

    w, t = layer.weight.detach().numpy().copy(), goal.numpy()
    z = u = rho = None
    for step in range(1, 10):
        penalty = 0 if z is None else rho / 2 * ((w - z + u) ** 2).sum()
        assert pruner.penalty().item() == pytest.approx(penalty, rel=1e-12)
        optimizer.zero_grad()
        (0.5 * (layer.weight - goal).square().sum() + pruner.penalty()).backward()
        optimizer.step()
        pruner.step()

        w = w - 0.1 * ((w - t) + (0 if z is None else rho * (w - z + u)))
        if step == 1:
            z, u, rho = best_columns(w, 3), np.zeros_like(w), 0.5
        elif (step - 1) % 2 == 0:
            z = best_columns(w + u, 3)
            grown = min(3 * rho, 2)
            u = (u + w - z) * rho / grown
            rho = grown
        np.testing.assert_allclose(layer.weight.detach().numpy(), w, rtol=1e-12)
    assert rho == 2
    assert u.any()


def test_admm_draws_the_weights_to_the_pruned_ones():
    errors = {}
    for rho in (1e-6, 0.3):
        model = nn.Linear(24, 8)
        nn.init.sparse_(model.weight, 0.1, std=1.0, generator=torch.Generator().manual_seed(1))
        goal = model.weight.detach() * 1.5
        options = {"interval": 10, "rho": rho, "rho_growth": 1.2, "rho_max": 30}
        pruner = Pruner(model, PruneConfig(4, (4, 8), "admm", method_options=options))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(300):
            optimizer.zero_grad()
            (0.5 * (model.weight - goal).square().sum() + pruner.penalty()).backward()
            optimizer.step()
            pruner.step()
        errors[rho] = pruner.finalize().rows[0].relative_error
    assert errors[0.3] < errors[1e-6] / 4


def test_admm_by_default_leaves_adam_a_loss_to_minimise():
    def losses(**options):
        """Dense, drawn to the pruned weights, pruned."""
        torch.manual_seed(3)
        teacher = nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 4))
        model = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(),
                              nn.Linear(48, 4))  # fmt: skip

        def loss(count=32):
            x = torch.randn(count, 24)
            with torch.no_grad():
                labels = teacher(x).argmax(1)
            return F.cross_entropy(model(x), labels)

        def train(steps, term=lambda: 0.0, after=lambda: None):
            optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
            for _ in range(steps):
                optimizer.zero_grad()
                (loss() + term()).backward()
                optimizer.step()
                after()
            with torch.no_grad():
                return loss(4000).item()

        dense = train(200)
        options = {"interval": 8, **options}
        pruner = Pruner(model, PruneConfig(4, (4, 8), "admm", method_options=options))
        drawn = train(240, pruner.penalty, pruner.step)
        pruner.finalize()
        return dense, drawn, loss(4000).item()

    dense, drawn, pruned = losses()
    _, strong, strongly_pruned = losses(rho_max=1.0)
    assert drawn - dense < (strong - dense) / 2
    assert pruned < strongly_pruned
    assert pruned < 0.9 * losses(rho=1e-6, rho_max=1e-6)[2]  # it does draw


# --- Reweighted group lasso, and training from scratch --------------------------------------------


def lasso(weight, start, epsilon, block):
    """The penalty by definition: sum over the columns and the rows of all blocks.

    Norms are per weight of the group, in units of the mean square of `start`.
    """
    unit = (start**2).mean()
    total = 0.0
    for top in range(0, weight.shape[0], block[0]):
        for left in range(0, weight.shape[1], block[1]):
            part = np.s_[top : top + block[0], left : left + block[1]]
            now, then = weight[part], start[part]
            for axis in (0, 1):
                size = now.shape[axis]
                norms = (then**2).sum(axis=axis) / size / unit
                total += ((now**2).sum(axis=axis) / (norms + epsilon)).sum()
    return total


def test_the_reweighted_penalty_is_that_of_the_equation():
    layer = nn.Linear(11, 6).double()
    options = {"interval": 2, "strength": 0.3, "epsilon": 0.05}
    pruner = Pruner(layer, PruneConfig(2, (4, 3), "reweighted", method_options=options))
    start = layer.weight.detach().numpy().copy()
    for step in range(1, 6):
        penalty = pruner.penalty()
        expected = 0.3 * lasso(layer.weight.detach().numpy(), start, 0.05, (4, 3))
        assert penalty.item() == pytest.approx(expected, rel=1e-12)
        penalty.backward()
        with torch.no_grad():
            layer.weight.sub_(0.01 * layer.weight.grad)
            layer.weight[1] += 0.1 * step
            layer.weight.grad = None
        pruner.step()
        if step % 2 == 0:
            start = layer.weight.detach().numpy().copy()


def test_a_layer_of_zeros_has_a_penalty_too():
    layer = nn.Linear(6, 4)
    nn.init.zeros_(layer.weight)
    pruner = Pruner(layer, PruneConfig(2, (2, 3), "reweighted"))
    pruner.penalty().backward()
    assert not layer.weight.grad.any()


def shrunk_by_training(threshold=None, rate=1, ranking="block"):
    """Two layers whose goals need 3 of 12 and 6 of 12 columns, trained with the penalty."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"narrow": nn.Linear(12, 4), "wide": nn.Linear(12, 4)})
    goals = {}
    for name, count in (("narrow", 3), ("wide", 6)):
        goals[name] = 0.01 * torch.randn(4, 12)
        goals[name][:, 1 : 1 + count] += torch.randn(4, count).sign()
    options = {"interval": 5, "strength": 0.1, "threshold": threshold}
    config = PruneConfig(
        rate, (4, 12), "reweighted", "columns", ranking=ranking, method_options=options
    )
    pruner = Pruner(model, config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        loss = sum(0.5 * (model[name].weight - goals[name]).square().sum() for name in goals)
        (loss + pruner.penalty()).backward()
        optimizer.step()
        pruner.step()
    return model, pruner.finalize()


def test_rates_come_out_of_the_training_by_a_threshold():
    model, report = shrunk_by_training(threshold=0.3)
    for name, count in (("narrow", 3), ("wide", 6)):
        columns = model[name].weight.any(dim=0).tolist()
        assert columns == [1 <= i < 1 + count for i in range(12)]
    assert [row.rate_reached for row in report.rows] == [4, 2]


def test_rates_come_out_of_the_training_by_one_budget():
    _, report = shrunk_by_training(rate=96 / 36, ranking="network")
    assert [row.rate_reached for row in report.rows] == [4, 2]


def test_a_threshold_leaves_no_more_than_the_rate():
    _, report = shrunk_by_training(threshold=0.3, rate=3)
    assert [row.rate_reached for row in report.rows] == [4, 3]


def test_scratch_goes_through_its_phases():
    torch.manual_seed(0)
    layer = nn.Linear(30, 4, bias=False)
    options = {"begin_step": 2, "end_step": 8, "interval": 2, "strength": 0.1}
    pruner = Pruner(layer, PruneConfig(6, (4, 30), "scratch", "columns", method_options=options))
    free = []
    for step in range(1, 11):
        if 2 < step <= 8:  # columns outside the penalty, whose gradient is zero there
            layer.weight.grad = None
            pruner.penalty().backward()
            free.append(30 - int(layer.weight.grad.any(dim=0).sum()))
        else:
            assert pruner.penalty().item() == 0
        assert bool(pruner.masks) == (step > 8)
        pruner.step()
        assert int(layer.weight.any(dim=0).sum()) == (5 if step >= 8 else 30)
    sparsity = [5 / 6 * (1 - (1 - done / 6) ** 3) for done in (0, 2, 4)]
    due = [np.floor(30 * (1 - s) + 1e-9) for s in sparsity]
    assert free == [due[0], due[0], due[1], due[1], due[2], due[2]]
    mask = pruner.masks[""]
    pruner.finalize()
    assert torch.equal(mask, pruner.masks[""])


def test_scratch_lets_a_misjudged_column_come_back():
    layer = nn.Linear(6, 2, bias=False)
    goal = torch.tensor([[0.5, 0.5, 3, 0.5, 0.5, 0.5], [0.5, 0.5, 3, 0.5, 0.5, 0.5]])
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.weight[:, 2] = 1e-3  # smallest at first, the largest of the goal
    options = {"end_step": 40, "interval": 4, "strength": 1e-3}
    pruner = Pruner(layer, PruneConfig(6, (2, 6), "scratch", "columns", method_options=options))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(41):
        optimizer.zero_grad()
        (0.5 * (layer.weight - goal).square().sum() + pruner.penalty()).backward()
        optimizer.step()
        pruner.step()
    assert layer.weight.any(dim=0).tolist() == [False, False, True, False, False, False]


# --- Training loops of all kinds -----------------------------------------------------------------


@ALL
def test_accumulated_gradients_are_those_of_one_large_batch(method):
    weights = []
    for parts in (1, 4):
        model = Net()
        model.norm.eval()  # its statistics are those of a batch, and so differ by construction
        pruner = Pruner(model, config(method))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for step in range(STEPS):
            x, y = batch(step)
            optimizer.zero_grad()
            for part_x, part_y in zip(x.chunk(parts), y.chunk(parts)):
                loss = F.cross_entropy(model(part_x), part_y) + pruner.penalty()
                (loss / parts).backward()
            optimizer.step()
            pruner.step()
        weights.append(model.state_dict())
    for key in weights[0]:
        torch.testing.assert_close(weights[0][key], weights[1][key], msg=key)


@ALL
def test_autocast_and_a_scaler_that_skips_steps(method):
    model = Net()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
    pruner = Pruner(model, config(method))
    skipped = 0
    for step in range(STEPS):
        x, y = batch(step)
        with torch.autocast("cpu", torch.bfloat16):
            penalty = pruner.penalty()
            loss = F.cross_entropy(model(x), y) + penalty
        assert penalty.dtype == torch.float32
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        if step in (4, 5):
            model.conv.weight.grad[0, 0, 0, 0] = torch.inf
        before = model.conv.weight.detach().clone()
        scaler.step(optimizer)
        skipped += torch.equal(before, model.conv.weight)
        scaler.update()
        pruner.step()
    assert skipped == 2
    pruner.finalize()
    assert_at_full_rate(pruner)
    assert all(p.isfinite().all() for p in model.parameters())


@ALL
def test_weights_in_bfloat16(method):
    model = Net().bfloat16()
    pruner = Pruner(model, config(method))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for step in range(STEPS):
        x, y = batch(step)
        optimizer.zero_grad()
        penalty = pruner.penalty()
        assert penalty.dtype == torch.float32
        (F.cross_entropy(model(x.bfloat16()), y) + penalty).backward()
        optimizer.step()
        pruner.step()
    pruner.finalize()
    assert_at_full_rate(pruner)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@ALL
def test_an_optimiser_that_evaluates_the_loss_many_times(method):
    model = Net()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.LBFGS(trained, lr=0.1, max_iter=3)
    pruner = Pruner(model, config(method))
    for step in range(STEPS):
        x, y = batch(step)

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y) + pruner.penalty()
            loss.backward()
            return loss

        optimizer.step(closure)
        pruner.step()
    pruner.finalize()
    assert_at_full_rate(pruner)
