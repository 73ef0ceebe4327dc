"""The networks have the papers' sizes, and weights under which comparisons mean something."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bcr import models
from bcr.errors import ConfigError

# Trainable numbers, as published for the same architectures.
PARAMETERS = {
    "vgg16": 138_357_544,
    "resnet18": 11_689_512,
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
    "resnet18_cifar": 11_173_962,
    "resnet50_cifar": 23_520_842,
}
SMALL = [name for name in models.names() if name not in PARAMETERS and name != "vgg16_cifar"]


@pytest.mark.parametrize("name", models.names())
def test_sizes(name: str) -> None:
    with torch.device("meta"):
        model = models._ENTRIES[name].make()
    size = sum(parameter.numel() for parameter in model.parameters())
    assert size == PARAMETERS.get(name, size)
    images = [x.to("meta") for x in models.inputs(name, batch=2)]
    scores = model.eval()(*images)
    assert scores.shape[0] == 2


@pytest.mark.parametrize("name", [*SMALL, "resnet18_cifar"])
def test_activations_stay_in_range(name: str) -> None:
    model = models.get(name)
    spreads: dict[str, float] = {}
    for part, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_hook(
                lambda m, a, o, part=part: spreads.__setitem__(part, o.std().item())
            )
    with torch.no_grad():
        y = model(*models.inputs(name, batch=2, seed=7))
    assert not model.training
    assert all(0.02 < spread < 50 for spread in spreads.values()), spreads
    assert 0.1 < y.abs().max() < 100
    assert not torch.equal(y[0], y[1]), "the input does not reach the output"


def test_weights_are_deterministic() -> None:
    first, second = models.get("squeeze_excite"), models.get("squeeze_excite")
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values()):
        assert torch.equal(a, b), name
    other = models.get("squeeze_excite", seed=1)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_global_random_state_is_left_alone() -> None:
    torch.manual_seed(3)
    want = torch.rand(2)
    torch.manual_seed(3)
    models.get("mlp")
    assert torch.equal(torch.rand(2), want)


@pytest.mark.parametrize("random_statistics", [True, False])
def test_statistics(random_statistics: bool) -> None:
    model = models.get("unet", width=8, random_statistics=random_statistics)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        trivial = (norm.running_var == 1).all() and (norm.weight == 1).all()
        assert bool(trivial) is not random_statistics
        assert (norm.running_var > 0).all()


def test_options() -> None:
    for name, options, channels in (
        ("vgg16_cifar", {"classes": 7, "width": 0.125}, 7),
        ("resnet18_cifar", {"classes": 3, "width": 0.25}, 3),
        ("mobilenet_v2_cifar", {"classes": 5, "width": 0.35}, 5),
        ("transformer", {"width": 24, "heads": 3, "classes": 4}, 4),
        ("mlp", {"features": 9, "width": 11, "classes": 2}, 2),
    ):
        model = models.get(name, **options)
        assert model(*models.inputs(name, batch=2, **options)).shape == (2, channels)


def test_training_works_after_get() -> None:
    model = models.get("mlp", random_statistics=False).train()
    model(*models.inputs("mlp", batch=3)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_errors() -> None:
    with pytest.raises(ConfigError, match=r"vgg17.*vgg16"):
        models.get("vgg17")
    with pytest.raises(ConfigError, match=r"mlp.*colour"):
        models.get("mlp", colour=3)
    with pytest.raises(ConfigError, match="vgg17"):
        models.inputs("vgg17")
