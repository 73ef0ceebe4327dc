"""What several test modules share."""

from __future__ import annotations

import warnings

import pytest

warnings.filterwarnings("ignore", category=FutureWarning)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # Test processes run side by side: a thread pool each would only fight.
    import torch

    torch.set_num_threads(1)


def make_net(seed: int = 0):
    """A small network with every part of an epilogue, batch norm with real statistics."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 20, 3, stride=2, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(20)
            self.body = nn.Conv2d(20, 20, 3, padding=1)
            self.depthwise = nn.Conv2d(20, 20, 3, padding=1, groups=20)
            self.head = nn.Linear(20, 11)

        def forward(self, x):
            x = torch.relu(self.norm(self.stem(x)))
            x = torch.relu(self.body(x) + x)
            x = nn.functional.hardswish(self.depthwise(x))
            return self.head(x.mean((2, 3)))

    torch.manual_seed(seed)
    net = Net()
    net.norm.running_mean.uniform_(-0.5, 0.5)
    net.norm.running_var.uniform_(0.5, 2.0)
    with torch.no_grad():
        net.norm.weight.uniform_(0.5, 1.5)
        net.norm.bias.uniform_(-0.5, 0.5)
    return net.eval()


def prune(model, rate: float = 4, block=(4, 12), **options):
    """Prune in place with one-shot magnitude and return the model."""
    import bcr

    bcr.Pruner(model, bcr.PruneConfig(rate=rate, block=block, **options)).finalize()
    return model


AARCH64 = ("-cpu", "cortex-a76")
"""QEMU's flags: a processor without SVE, so that code for more than it asked for traps."""
