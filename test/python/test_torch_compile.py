"""The torch.compile backend."""

from __future__ import annotations

import pytest
import torch

import bcr
from bcr.compiler import relative_error
from conftest import make_net, prune

CONFIG = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}


@pytest.fixture(autouse=True)
def _fresh():
    torch.compiler.reset()


def test_registered():
    assert "bcr" in torch.compiler.list_backends()


def test_runs_sparse_and_right(monkeypatch):
    compiled = []
    import bcr.torch_backend as module

    original = module.compile_model
    monkeypatch.setattr(
        module,
        "compile_model",
        lambda *a, **k: compiled.append(original(*a, **k)) or compiled[-1],
    )
    model = prune(make_net(), **CONFIG)
    x = torch.randn(2, 3, 17, 13)
    fast = torch.compile(model, backend=module.backend, options={"sparsity": "force"})
    with torch.no_grad():
        assert relative_error(fast(x).numpy(), model(x).numpy()) < 1e-5
        y = torch.randn(2, 3, 17, 13)
        assert relative_error(fast(y).numpy(), model(y).numpy()) < 1e-5
    assert len(compiled) == 1
    assert any(layer.verdict == "picked" for layer in compiled[0].report().layers)


def test_graph_break_and_two_shapes():
    model = prune(make_net(), **CONFIG)

    def run(x):
        y = model(x)
        torch._dynamo.graph_break()
        return torch.relu(y) + 1

    fast = torch.compile(run, backend="bcr", dynamic=False)
    with torch.no_grad():
        for n in (1, 3):
            x = torch.randn(n, 3, 9, 11)
            assert relative_error(fast(x).numpy(), run(x).numpy()) < 1e-5


def test_training_is_refused():
    model = make_net()
    fast = torch.compile(model, backend="bcr")
    with pytest.raises(Exception, match="inference only") as caught:
        fast(torch.randn(1, 3, 9, 11))
    assert "no_grad" in str(caught.value)
    assert bcr.UnsupportedError
