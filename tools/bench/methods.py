"""Time what a pruning method adds to a training step of a small CNN.

    python tools/bench/methods.py [--batch 32] [--rounds 20]

One thread. Every figure is the median over the rounds: a plain step of training, `Pruner.penalty`
with its backward pass and `Pruner.step`, both between two updates of the method, the update of all
masks or penalties, and `Pruner.step` after `finalize`.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

import bcr
from bcr.tables import NUMBER, TEXT, render

FAR = 10**9
METHODS = {
    "oneshot": {},
    "gradual": {"begin_step": 1, "end_step": FAR, "interval": FAR, "initial_rate": 8},
    "admm": {"begin_step": 1, "interval": FAR},
    "reweighted": {"begin_step": 1, "interval": FAR},
    "scratch": {"begin_step": 1, "end_step": FAR, "interval": FAR},
}


def network() -> nn.Module:
    """Return four convolutions and a linear layer, 250 thousand weights."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, 32, 1), (32, 64, 2), (64, 128, 2), (128, 128, 1)):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 62))


def milliseconds(call: Callable[[], object], rounds: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def row(method: str, options: argparse.Namespace) -> list[str]:
    """Time one method."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = torch.randn(options.batch, 3, 32, 32), torch.randint(62, (options.batch,))
    config = bcr.PruneConfig(8, (8, 9), method, method_options=METHODS[method])
    pruner = bcr.Pruner(model, config)

    def train() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    def penalty() -> None:
        value = pruner.penalty()
        if value.requires_grad:
            value.backward()

    train()
    update = milliseconds(pruner.step, 1)  # the first one, at begin_step
    figures = [milliseconds(call, options.rounds) for call in (train, penalty, pruner.step)]
    pruner.finalize()
    figures += [update, milliseconds(pruner.step, options.rounds)]
    return [method, *(f"{figure:.2f}" for figure in figures)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of schedules cut short, as they are here
    columns = [("method", TEXT)]
    columns += [
        (name, NUMBER)
        for name in ("training step", "penalty", "step", "first update", "step, finalized")
    ]
    title = "Cost of pruning methods, ms"
    print(render(title, columns, [row(method, options) for method in METHODS]))


if __name__ == "__main__":
    main()
