"""A network and a source of latencies for the tests of `bcr.mapping`, which measure nothing."""

from __future__ import annotations

import math

import torch
from torch import nn

from bcr.mapping import DENSE, Measurement, NetworkTime, describe

REMAINDER = 7e-6
"""Seconds of a call that no layer accounts for."""


class Net(nn.Module):
    """A 3x3 convolution called twice, a depthwise one, a 1x1 one and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.body = nn.Conv2d(16, 16, 3, padding=1)
        self.depthwise = nn.Conv2d(16, 16, 3, stride=2, padding=1, groups=16)
        self.point = nn.Conv2d(16, 40, 1)
        self.hidden = nn.Linear(40, 48)
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(self.body(torch.relu(self.body(x))))
        x = torch.relu(self.point(torch.relu(self.depthwise(x))))
        return self.head(torch.relu(self.hidden(x.mean((2, 3)))))


def make_net():
    """The network with weights whose size differs from layer to layer, and its input."""
    torch.manual_seed(5)
    net = Net().eval()
    with torch.no_grad():
        for scale, parameter in enumerate(net.parameters(), 1):
            parameter.mul_(0.5 + 0.1 * scale)
    return net, (torch.randn(2, 3, 8, 6),)


class Formula:
    """Latency by a formula: in proportion to the weights, and less for large blocks. Patterns take
    `pattern` times as long as blocks of 8 rows. Notes what it was asked for.
    """

    def __init__(self, pattern=1.0, unknown=()):
        self.pattern, self.unknown = pattern, set(unknown)
        self.asked = []

    def prepare(self, specs, choices):
        self.asked.append((list(specs), [list(some) for some in choices]))

    def layer(self, spec, choice):
        if str(choice) in self.unknown or (spec.weight[0] == 10 and "head" in self.unknown):
            return None
        dense = 5e-9 * math.prod(spec.weight)
        if choice == DENSE:
            return Measurement(dense, 4 * math.prod(spec.weight), 0.0, 9)
        block = choice.form.block
        if block is None:
            loss = 1.1 * self.pattern
        else:
            rows = spec.matrix[0] if block == "matrix" else block[0]
            loss = 1 + 0.8 / min(rows, 8)
        size = round(4.4 * math.prod(spec.weight) / choice.rate)
        return Measurement(loss * dense / choice.rate, size, 0.0, 9)

    def network(self, model, inputs):
        layers = {}
        for layer in describe(model, inputs).layers:
            parts = [self.layer(spec, DENSE) for spec in layer.specs]
            layers[layer.name] = sum(part.seconds if part else 1e-6 for part in parts)
        return NetworkTime(sum(layers.values()) + REMAINDER, layers)
