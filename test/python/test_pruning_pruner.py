"""`Pruner`: which layers, zeros that stay zero, the report, state, and every error message."""

import copy
import gc
import io
import json
import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

import bcr
from bcr import ConfigError, PruneConfig, Pruner, reference
from bcr.pruning import LayerRow, PruneReport


class Net(nn.Module):
    """Convolutions of every kind that matters, ragged against a 4 x 8 block."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 10, 3, padding=1),
            nn.BatchNorm2d(10),
            nn.ReLU(),
            nn.Conv2d(10, 10, 3, padding=1, groups=10),  # depthwise
            nn.Conv2d(10, 12, 3, padding=1, groups=2),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.fc = nn.Linear(48, 7)

    def forward(self, x):
        return self.fc(self.features(x))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


SMALL = {"rate": 4, "block": (4, 8)}
X = torch.linspace(-1, 1, 2 * 3 * 6 * 6).reshape(2, 3, 6, 6)


def zeros_outside(model, masks):
    parameters = dict(model.named_parameters())
    return all(
        not parameters[f"{name}.weight"][~mask].any() and (~mask).any()
        for name, mask in masks.items()
    )


def train(model, optimizer, steps=20, after=lambda: None):
    for step in range(steps):
        optimizer.zero_grad()
        (model(X + step / 10) ** 2).sum().backward()
        optimizer.step()
        after()


def test_prunes_linear_and_convolution_and_says_why_not(net):
    before = copy.deepcopy(net.state_dict())
    pruner = Pruner(net, PruneConfig(**SMALL))
    assert pruner.masks == {}
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(net.state_dict()[k], v) for k, v in before.items())

    report = pruner.finalize()
    masks = pruner.masks
    assert list(masks) == ["features.0", "features.4", "fc"]
    for name, mask in masks.items():
        weight = before[f"{name}.weight"]
        assert mask.shape == weight.shape
        assert torch.equal(net.state_dict()[f"{name}.weight"], weight * mask)
        packed = reference.pack((weight * mask).flatten(1).numpy(), (4, 8))
        assert sum(block.values.size for block in packed) == mask.sum()
        assert 4 <= mask.numel() / mask.sum() < 4.3
    others = [k for k in before if k.removesuffix(".weight") not in masks]
    assert all(torch.equal(net.state_dict()[k], before[k]) for k in others)

    rows = {row.name: row for row in report.rows}
    assert list(rows) == ["features.0", "features.3", "features.4", "fc"]
    assert not rows["features.3"].pruned
    assert "depthwise" in rows["features.3"].note
    row = rows["features.4"]
    assert (row.type, row.shape, row.block) == ("Conv2d", (12, 5, 3, 3), (4, 8))
    assert (row.rate_asked, row.rate_reached) == (4, 540 / row.kept)
    assert (row.blocks, row.weights, row.kept) == (18, 540, int(masks["features.4"].sum()))
    weight = before["features.4.weight"]
    lost = (weight * ~masks["features.4"]).norm() / weight.norm()
    assert row.relative_error == pytest.approx(float(lost), rel=1e-5)
    assert report.rate == pytest.approx(
        sum(m.numel() for m in masks.values()) / sum(int(m.sum()) for m in masks.values())
    )
    assert report.rate_of_model < report.rate


def test_report_as_table_and_as_plain_values(net):
    report = Pruner(net, PruneConfig(**SMALL, modules={"fc": None})).finalize()
    text = str(report)
    for word in ("features.4", "Conv2d", "12x5x3x3", "4x8", "4.00x", "depthwise", "dense", "fc"):
        assert word in text
    assert "…" not in text
    assert "left dense by the configuration" in text
    assert type(report).from_dict(json.loads(json.dumps(report.to_dict()))) == report


def test_a_rate_that_leaves_nothing(net):
    with pytest.raises(ConfigError) as caught:
        Pruner(net, PruneConfig(rate=271, block="matrix", modules={"fc": {"rate": 1000}}))
    text = str(caught.value)
    assert "module 'features.0' has 270 weights, its rate is 271" in text
    assert "module 'fc' has 336 weights, its rate is 1000. Give these layers a lower rate" in text
    assert "features.4" not in text
    rows = Pruner(net, PruneConfig(rate=270, block="matrix")).finalize().rows
    assert rows[0].kept == 1


def test_infinite_rate_in_the_report():
    """A method that finds the rates itself may leave nothing of a layer."""
    row = LayerRow("a", "Linear", (2, 3), 6, 0, True, "both", (2, 3), 2, math.inf, 1, 1)
    report = PruneReport((row,))
    assert report.rate == math.inf
    assert report.to_dict()["rows"][0]["rate_reached"] is None
    assert PruneReport.from_dict(report.to_dict()) == report
    assert "infx" in str(report)


def test_overrides_reach_their_layers(net):
    config = PruneConfig(
        **SMALL,
        module_types={"Conv2d": {"rate": 2}},
        modules={"features.3": {"block": (2, 3)}, "features.0": None, "fc": {"scheme": "columns"}},
    )
    rows = {row.name: row for row in Pruner(net, config).finalize().rows}
    assert [rows[n].pruned for n in ("features.0", "features.3", "features.4", "fc")] == [
        False,
        True,
        True,
        True,
    ]
    assert rows["features.3"].block == (2, 3)
    assert rows["features.3"].rate_asked == rows["features.4"].rate_asked == 2
    assert rows["fc"].rate_asked == 4
    assert net.fc.weight[:4].ne(0).any(dim=1).all()


def test_subclasses_count_as_their_base():
    class Half(nn.Linear):
        pass

    model = nn.Sequential(Half(16, 8), nn.Linear(8, 8))
    config = PruneConfig(**SMALL, module_types={"Linear": None, "Half": {"rate": 2}})
    rows = Pruner(model, config).finalize().rows
    assert [(row.type, row.pruned, row.rate_asked) for row in rows] == [
        ("Half", True, 2),
        ("Linear", False, 1),
    ]


@pytest.mark.parametrize("rank", [1, 3])
def test_convolutions_of_other_dimensions(rank):
    layer = (nn.Conv1d, None, nn.Conv3d)[rank - 1](4, 6, 3)
    pruner = Pruner(layer, PruneConfig(rate=3, block=(2, 3)))
    report = pruner.finalize()
    assert report.rows[0].name == ""
    assert "(model)" in str(report)
    assert 3 <= report.rate < 3.2
    assert torch.equal(layer.weight != 0, pruner.masks[""])


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.001, momentum=0.9),
}


@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "warm"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_zeros_stay_zero_while_training(net, name, warm):
    pruner = Pruner(net, PruneConfig(**SMALL))
    optimizer = OPTIMIZERS[name](net.parameters())
    if warm:  # the optimiser carries momentum of weights that are pruned next
        train(net, optimizer, steps=3, after=pruner.step)
    pruner.finalize()
    start = copy.deepcopy(net.state_dict())
    masks = pruner.masks
    train(net, optimizer, after=lambda: zeros_outside(net, masks) or pytest.fail("revived"))
    for layer, mask in masks.items():
        moved = net.state_dict()[f"{layer}.weight"] != start[f"{layer}.weight"]
        assert moved[mask].float().mean() > 0.9
        assert not moved[~mask].any()


def test_pruned_weights_get_no_gradient(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    net(X).sum().backward()
    for name, mask in pruner.masks.items():
        gradient = net.get_submodule(name).weight.grad
        assert not gradient[~mask].any()
        assert gradient[mask].any()


def test_step_serves_an_optimiser_that_is_none_of_torch(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    for _ in range(3):
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.125)
        assert not zeros_outside(net, pruner.masks)
        pruner.step()
        assert zeros_outside(net, pruner.masks)


def test_zeros_outlive_the_pruner_but_not_release(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    masks = pruner.masks
    del pruner
    gc.collect()
    train(net, torch.optim.SGD(net.parameters(), lr=0.01), steps=2)
    assert zeros_outside(net, masks)


def test_release_lets_weights_move_and_finalize_prunes_anew(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    first = pruner.finalize()
    assert pruner.finalize() is first
    kept = {name: mask.clone() for name, mask in pruner.masks.items()}
    pruner.release()
    pruner.release()
    assert pruner.masks == {}
    assert zeros_outside(net, kept)
    train(net, torch.optim.Adam(net.parameters(), lr=0.1), steps=2)
    assert not zeros_outside(net, kept)
    second = pruner.finalize()
    assert second.rate == pytest.approx(first.rate, rel=0.05)
    assert second != first


def test_nothing_is_held_of_a_model_that_is_gone(net):
    from bcr.pruning import guard

    # What other tests have left behind may go at any time.
    gc.collect()
    before = len(guard._held)
    Pruner(net, PruneConfig(**SMALL)).finalize()
    assert len(guard._held) == before + 3
    other = Net()
    Pruner(other, PruneConfig(**SMALL)).finalize()
    del other
    gc.collect()
    assert len(guard._held) == before + 3


def test_penalty_is_a_zero_that_fits_into_a_loss(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    penalty = pruner.penalty()
    assert penalty.shape == ()
    assert penalty.item() == 0
    (net(X).sum() + penalty).backward()
    pruner.step()


def test_model_is_copied_and_saved_as_if_never_pruned(net):
    keys = list(net.state_dict())
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    assert list(net.state_dict()) == keys
    twin = copy.deepcopy(net)
    assert torch.equal(twin(X), net(X))
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    assert zeros_outside(again, pruner.masks)
    fresh = Net()
    fresh.load_state_dict(net.state_dict())
    assert zeros_outside(fresh, pruner.masks)
    train(twin, torch.optim.SGD(twin.parameters(), lr=0.01), steps=1)
    assert not zeros_outside(twin, pruner.masks)
    assert zeros_outside(net, pruner.masks)


def test_state_resumes_on_another_copy(net):
    config = PruneConfig(**SMALL, modules={"fc": {"block": "matrix"}})
    pruner = Pruner(net, config)
    report = pruner.finalize()
    file = io.BytesIO()
    torch.save(pruner.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)

    other = Net()
    resumed = Pruner(other, config)
    resumed.load_state_dict(state)
    assert zeros_outside(other, pruner.masks)
    assert resumed.finalize() == report
    train(other, torch.optim.Adam(other.parameters(), lr=0.01), steps=2)
    assert zeros_outside(other, pruner.masks)

    unfinished = Pruner(Net(), config).state_dict()
    resumed.load_state_dict(unfinished)
    assert resumed.masks == {}


def test_foreign_state_is_refused(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    state = pruner.state_dict()
    fresh = Net()
    with pytest.raises(ConfigError, match="it lacks 'masks', 'method', 'report'"):
        Pruner(fresh, PruneConfig(**SMALL)).load_state_dict({"config": {}})
    with pytest.raises(ConfigError, match="of another configuration"):
        Pruner(fresh, PruneConfig(rate=2, block=(4, 8))).load_state_dict(state)
    wide = Net()
    wide.fc = nn.Linear(48, 9)
    target = Pruner(wide, PruneConfig(**SMALL))
    with pytest.raises(ConfigError, match=r"module 'fc': the state holds no mask.*\[9, 48\]"):
        target.load_state_dict(state)
    assert target.masks == {}
    assert wide.features[0].weight.all()


def test_moved_and_replaced_parameters_stay_masked(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    net.double()
    net.load_state_dict({k: v + 1 for k, v in net.state_dict().items()}, assign=True)
    assert not zeros_outside(net, pruner.masks)
    pruner.step()
    assert zeros_outside(net, pruner.masks)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    optimizer.zero_grad()
    net(X.double()).sum().backward()
    optimizer.step()
    assert zeros_outside(net, pruner.masks)


def test_a_layer_that_changed_its_shape_is_named(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    net.fc.weight = nn.Parameter(torch.ones(7, 50))
    with pytest.raises(ConfigError, match=r"module 'fc' was pruned as \[7, 48\] and is now \[7,"):
        pruner.step()


def test_weights_masked_by_torch_do_not_count():
    layer = nn.Linear(8, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[9.0, 8, 7, 6, 1, 2, 3, 4]]))
    keep = torch.tensor([[0.0, 0, 0, 0, 1, 1, 1, 1]])
    torch_prune.custom_from_mask(layer, "weight", keep)
    Pruner(layer, PruneConfig(rate=4, block="matrix")).finalize()
    assert layer.weight.tolist() == [[0, 0, 0, 0, 0, 0, 3, 4]]


def test_one_input_channel_is_not_depthwise():
    assert Pruner(nn.Conv2d(1, 8, 3), PruneConfig(rate=2, block=(4, 9))).finalize().rate == 2


def test_masks_of_torch_are_combined(net):
    torch_prune.l1_unstructured(net.fc, "weight", amount=0.5)
    theirs = net.fc.weight_mask.clone()
    keys = list(net.state_dict())
    pruner = Pruner(net, PruneConfig(**SMALL))
    pruner.finalize()
    ours = pruner.masks["fc"]
    assert list(net.state_dict()) == keys
    expected = (theirs != 0) & ours
    assert torch.equal(net.fc.weight != 0, expected)
    assert torch.equal(net.fc.weight_mask != 0, expected)
    train(net, torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9), steps=3)
    net(X)
    assert not net.fc.weight[~expected].any()
    pruner.release()
    assert torch.equal(net.fc.weight_mask, theirs)
    pruner.finalize()
    torch_prune.remove(net.fc, "weight")
    assert not net.fc.weight[~expected].any()


def test_frozen_layers_need_an_own_entry(net):
    net.features.requires_grad_(False)
    with pytest.raises(ConfigError) as caught:
        Pruner(net, PruneConfig(**SMALL, module_types={"Conv2d": {"rate": 2}}))
    text = str(caught.value)
    assert "frozen (requires_grad=False): 'features.0', 'features.4'. No training" in text
    assert "modules={name: {}} prunes such a layer all the same" in text
    config = PruneConfig(**SMALL, modules={"features.0": {}, "features.4": None})
    rows = {row.name: row for row in Pruner(net, config).finalize().rows}
    assert rows["features.0"].pruned
    assert rows["features.0"].note == "frozen"
    assert not rows["features.4"].pruned
    assert rows["fc"].note == ""


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(16, 16)
        self.b = nn.Linear(16, 16)
        self.b.weight = self.a.weight
        self.again = self.a


def test_shared_weights_are_one_layer():
    model = Tied()
    pruner = Pruner(model, PruneConfig(rate=2, block=(4, 8), modules={"a": {"rate": 2}}))
    report = pruner.finalize()
    assert [(row.name, row.note) for row in report.rows] == [
        ("a", "shared with 'b', shared with 'again'")
    ]
    assert report.rate == 2
    assert torch.equal(model.b.weight != 0, pruner.masks["a"])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (model.b(model.a(torch.ones(2, 16))) ** 2).sum().backward()
        optimizer.step()
    assert model.b.weight is model.a.weight
    assert torch.equal(model.b.weight != 0, pruner.masks["a"])
    with pytest.raises(ConfigError, match="modules 'a' and 'b' share one weight tensor but ask"):
        Pruner(Tied(), PruneConfig(rate=2, block=(4, 8), modules={"b": None}))


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.head = nn.Linear(16, 20, bias=False)
        self.head.weight = self.embedding.weight


def test_weights_shared_with_an_embedding_need_an_own_entry():
    with pytest.raises(
        ConfigError, match=r"module 'head' shares it with 'embedding \(Embedding\)'"
    ):
        Pruner(Language(), PruneConfig(rate=2, block=(4, 8)))
    config = PruneConfig(rate=2, block=(4, 8), modules={"head": None})
    report = Pruner(Language(), config).finalize()
    assert not report.pruned
    assert report.rate == report.rate_of_model == 1
    assert sum(row.weights for row in report.rows) == 320
    config = PruneConfig(rate=2, block=(4, 8), modules={"head": {}})
    report = Pruner(Language(), config).finalize()
    assert [(row.name, row.note) for row in report.rows] == [("head", "shared with 'embedding'")]


def test_parameters_that_are_views_of_one_memory():
    model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 16), nn.Linear(16, 8))
    model[1].weight = nn.Parameter(model[0].weight.detach().T)
    with pytest.raises(ConfigError, match=r"module '0' shares its memory with '1.weight'; module"):
        Pruner(model, PruneConfig(rate=2, block=(4, 8)))
    flat = torch.randn(256)  # neighbours in one memory, as sharded training lays them out
    model[0].weight = nn.Parameter(flat[:128].view(8, 16))
    model[1].weight = nn.Parameter(flat[128:].view(16, 8))
    assert len(Pruner(model, PruneConfig(rate=2, block=(4, 8))).finalize().pruned) == 3


def test_a_block_larger_than_its_layers(net):
    with pytest.raises(ConfigError) as caught:
        Pruner(net, PruneConfig(rate=8, block=(8, 64)))
    text = str(caught.value)
    assert "module 'features.0' is 10x27, its block 8x64" in text
    assert "module 'features.4' is 12x45, its block 8x64" in text
    assert "module 'fc' is 7x48" in text
    assert "modules={name: None}" in text
    assert "oversize='clip'" in text
    with pytest.raises(ConfigError, match="module 'fc' is 7x48, its block 1000x1"):
        Pruner(net, PruneConfig(**SMALL, modules={"fc": {"block": (1000, 1)}}))

    dense = PruneConfig(rate=8, block=(8, 48), oversize="dense", modules={"fc": {"block": (4, 8)}})
    rows = {row.name: row for row in Pruner(Net(), dense).finalize().rows}
    assert not rows["features.0"].pruned
    assert "smaller than its block 8x48" in rows["features.0"].note
    assert rows["fc"].pruned
    rows = Pruner(net, PruneConfig(rate=8, block=(8, 64), oversize="clip")).finalize().rows
    assert [(row.block, row.note) for row in rows if row.pruned] == [
        ((8, 27), "block clipped from 8x64"),
        ((8, 45), "block clipped from 8x64"),
        ((7, 48), "block clipped from 8x64"),
    ]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"modules": {"feature.0": None}}, "no module 'feature.0'.* Did you mean 'features.0'"),
        ({"modules": {"zzzzzz": {}}}, r"no module 'zzzzzz'. model.named_modules\(\) lists"),
        ({"modules": {"features.1": {}}}, "module 'features.1' is a BatchNorm2d and cannot be"),
        ({"module_types": {"Conv2D": None}}, "no module of the model is a 'Conv2D'.* 'Conv2d'"),
        (
            {"module_types": {"BatchNorm2d": {}}},
            "'BatchNorm2d' cannot be pruned; bcr prunes",
        ),
    ],
)
def test_entries_that_fit_no_layer(net, entries, words):
    with pytest.raises(ConfigError, match=words):
        Pruner(net, PruneConfig(**SMALL, **entries))


def test_entries_that_are_harmless(net):
    config = PruneConfig(
        **SMALL,
        module_types={"Conv3d": {"rate": 2}, "BatchNorm2d": None},
        modules={"features": None, "features.1": None},
    )
    assert [row.name for row in Pruner(net, config).finalize().pruned] == ["fc"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers(net, value):
    with torch.no_grad():
        net.features[4].weight[1, 2, 0, 1] = value
    with pytest.raises(ConfigError, match=r"module 'features.4': 1 of 540 weights are NaN or Inf"):
        Pruner(net, PruneConfig(**SMALL))
    Pruner(net, PruneConfig(**SMALL, modules={"features.4": None})).finalize()


def test_finalize_prunes_all_or_nothing(net):
    pruner = Pruner(net, PruneConfig(**SMALL))
    with torch.no_grad():
        net.fc.weight[0, 0] = math.nan
    before = net.features[0].weight.clone()
    with pytest.raises(ConfigError, match="module 'fc': 1 of 336 weights"):
        pruner.finalize()
    assert torch.equal(net.features[0].weight, before)
    assert pruner.masks == {}
    with torch.no_grad():
        net.fc.weight[0, 0] = 0.5
    assert pruner.finalize().pruned


def test_two_pruners_do_not_fight(net):
    first = Pruner(net, PruneConfig(**SMALL))
    first.finalize()
    second = Pruner(net, PruneConfig(rate=8, block=(4, 8)))
    with pytest.raises(ConfigError, match=r"module 'features.0' is already pruned.*release\(\)"):
        second.finalize()
    first.release()
    assert second.finalize().rate >= 8


def test_weights_that_are_no_plain_parameters(net):
    parametrizations.weight_norm(net.fc)
    with pytest.raises(ConfigError, match=r"module 'fc' \(ParametrizedLinear\) has no weight par"):
        Pruner(net, PruneConfig(**SMALL))
    Pruner(net, PruneConfig(**SMALL, modules={"fc": None})).finalize()
    with pytest.raises(ConfigError, match="module '0' is not initialised yet: run the model once"):
        Pruner(nn.Sequential(nn.LazyLinear(4)), PruneConfig(**SMALL))
    with pytest.raises(ConfigError, match=r"the model itself is on the meta device"):
        Pruner(nn.Linear(8, 8, device="meta"), PruneConfig(**SMALL))
    with pytest.raises(ConfigError, match=r"the model itself has torch.complex64 weights"):
        Pruner(nn.Linear(8, 8, dtype=torch.complex64), PruneConfig(**SMALL))


def test_models_with_little_to_prune():
    report = Pruner(nn.Sequential(nn.ReLU()), PruneConfig(rate=8)).finalize()
    assert report.rows == ()
    assert report.rate == 1
    assert "0 layers" in str(report)
    empty = nn.Linear(4, 4)
    empty.weight = nn.Parameter(torch.ones(4, 0))
    report = Pruner(empty, PruneConfig(rate=8)).finalize()
    assert report.rows[0].note == "has no weights"


def test_wrong_arguments(net):
    with pytest.raises(ConfigError, match=r"config is a dict: .*Pruner.from_dict"):
        Pruner(net, {"rate": 8})
    with pytest.raises(ConfigError, match=r"model is a function: pass a torch.nn.Module"):
        Pruner(zeros_outside, PruneConfig(rate=8))


def test_other_ways_to_build_one(net, tmp_path):
    file = tmp_path / "prune.yaml"
    file.write_text("rate: 4\nblock: [4, 8]\n")
    for pruner in (
        bcr.Pruner.from_dict(net, {"rate": 4, "block": [4, 8]}),
        bcr.Pruner.from_yaml(net, "rate: 4\nblock: [4, 8]\n"),
        bcr.Pruner.from_yaml(net, file),
    ):
        assert pruner.config == PruneConfig(**SMALL)


def test_same_model_same_masks():
    masks = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.manual_seed(3)
            torch.set_num_threads(threads)
            pruner = Pruner(Net(), PruneConfig(rate=10, block=(4, 8)))
            pruner.finalize()
            masks.append(pruner.masks)
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(masks[0][name], masks[1][name]) for name in masks[0])
