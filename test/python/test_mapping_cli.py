"""`bcr map`, and a prediction against the compiled network, on this machine."""

import sys

import pytest
import torch

import bcr
import bcr.models
from bcr.mapping import Budget, MeasuredLatency, allocate

MODULE = """
import torch
from torch import nn


def make():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 48, 3, padding=1), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10))
    return model.eval(), (torch.randn(1, 3, 16, 16),)


def loss(model):
    return float((model[2].weight == 0).double().mean())


def accuracy(model):
    return 1 - loss(model)


def batches():
    return [(torch.randn(4, 3, 16, 16), torch.tensor([3, 1, 4, 1]))]


broken = 5
"""


@pytest.fixture
def bcr_map(tmp_path, monkeypatch, capsys):
    """Returns a function that runs the command in a folder with the module `training` and returns
    what it prints."""
    from bcr import cli

    (tmp_path / "training.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "training", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["bcr", "map", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code, capsys.readouterr().out

    return run


def test_a_budget_from_the_command_line(bcr_map, tmp_path):
    code, text = bcr_map(
        "training:make", "--rate", 6, "--block", "8x32", "--loss", "training:loss",
        "--exclude", "0", "-o", "recipe.yaml", "--scheme", "columns",
    )  # fmt: skip
    assert code == 0
    assert "Allocation" in text
    assert "wrote recipe.yaml" in text
    config = bcr.PruneConfig.from_yaml(tmp_path / "recipe.yaml")
    assert config.modules["2"]["block"] == (8, 32)
    assert "0" not in config.modules
    assert config.modules[""] is None
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 1


def test_a_search_from_the_command_line(bcr_map, tmp_path):
    code, text = bcr_map(
        "training:make", "--by", "search", "--evaluate", "training:accuracy", "--block", "8x32",
        "--scheme", "columns", "--table", "t.json", "--storage", "s.db", "--latency", "1000",
        "--trials", 2, "--plot", "front.png", "--exclude", "0", "--check",
        "--batches", "training:batches",
    )  # fmt: skip
    assert code == 0
    assert "Pareto front" in text
    assert "measured: " in text
    assert (tmp_path / "front.png").stat().st_size > 1000
    assert (tmp_path / "s.db").exists()
    assert len(bcr.mapping.LatencyTable.load(tmp_path / "t.json")) > 5
    assert not (tmp_path / "cache" / "bcr").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training:make"], "a budget bounds one of rate, flops, bytes, latency, got none"),
        (
            ["training:make", "--rate", "2", "--loss", "training:loss", "--batches", "training:b"],
            "--loss and --batches are two ways",
        ),
        (["training:make", "--by", "magic"], "--by magic: choose one of budget, rules, search"),
        (["training:make", "--by", "search"], "needs --latency and --evaluate"),
        (["training:make", "--latency", "1", "--latency", "2"], "several bounds need --by search"),
        (["training", "--rate", "2"], "'training': write module:function"),
        (["training:gone", "--rate", "2"], "training:gone: module 'training' has no attribute"),
        (["training:broken", "--rate", "2"], "training:broken is a int, not a function"),
        (["training:accuracies", "--rate", "2"], "module 'training' has no attribute"),
        (["model.pt2", "--rate", "2"], "model.pt2: an exported program has no modules"),
        (["training:make", "--rate", "2", "--block", "8"], "--block 8: write rows by columns"),
        (["training:make", "--rate", "2", "-o", "gone/r.yaml"], "the folder gone does not exist"),
    ],
)
def test_mistakes_on_the_command_line(bcr_map, arguments, message):
    text, _ = bcr_map(*arguments)
    assert message in text
    assert text.startswith("bcr: error: ")
    assert "\n" not in text


def test_the_prediction_is_near_what_the_compiled_network_takes(tmp_path):
    torch.manual_seed(0)
    model = bcr.models.get("resnet18_cifar", width=0.5)
    x = bcr.models.inputs("resnet18_cifar", width=0.5)
    source = MeasuredLatency(path=tmp_path / "t.json", progress=False)
    dense = source.network(model, x).seconds
    found = allocate(
        model, x, Budget(latency=dense / 2), source=source, schemes=["columns"],
        blocks=[(8, 64)], rates=[6], exclude=["stem", "head"], progress=False,
    )  # fmt: skip
    assert found.after <= dense / 2
    bcr.Pruner(model, found.config).finalize()
    measured = source.network(model, x).seconds
    # Within a few per cent on a quiet machine; other work here makes both of them larger.
    assert 0.5 < found.after / measured < 1.5
    assert measured < 0.75 * dense
