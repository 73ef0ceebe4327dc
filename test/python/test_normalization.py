"""Normalisation of what hardly varies: the error of a mean is multiplied by up to eps ** -0.5."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import bcr
from bcr.compiler import relative_error

LAYERS = {
    "instance": lambda: nn.InstanceNorm2d(6),
    "group": lambda: nn.GroupNorm(3, 6),
    "layer": lambda: nn.LayerNorm((6, 13, 37)),
    "batch": lambda: nn.BatchNorm2d(6, track_running_stats=False),
}


@pytest.fixture(params=["host", "opencl", "vulkan"])
def options(request):
    return {} if request.param == "host" else {"target": request.param}


def whole(result):
    return result if isinstance(result, torch.Tensor) else torch.from_numpy(result)


@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_constant_is_zero(options, kind):
    """As with filters that are pruned away: each pixel of a channel is the bias."""
    torch.manual_seed(1)
    layer = LAYERS[kind]().eval()
    x = torch.randn(2, 6, 13, 37)
    # What is normalised together is equal: a channel, two of them, a sample, a channel of both.
    where = {
        "instance": (0, slice(1, 2)),
        "group": (0, slice(2, 4)),
        "layer": 1,
        "batch": (slice(None), 3),
    }
    x[where[kind]] = 0.7391
    exe = bcr.compile(layer, (x,), **options)
    y, expected = whole(exe(x)), layer(x).detach()
    assert not y[where[kind]].any()
    assert relative_error(y.numpy(), expected.numpy()) < 1e-5


def test_pruned_filters_before_a_normalisation(options):
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.InstanceNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 3)
    ).eval()
    with torch.no_grad():
        model[0].weight[::2] = 0
    bcr.compile(model, (torch.randn(1, 3, 41, 37),), verify=True, **options)
