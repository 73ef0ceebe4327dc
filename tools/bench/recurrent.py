"""Time a GRU of 2x1024 units for one frame and for 100, at the rates of RTMobile (DAC 2020).

    .venv/bin/python tools/bench/recurrent.py [--rates 1 10 245]

The weights are random and pruned in RTMobile's two steps: columns inside blocks, the same for all
rows of a block, then whole rows. A frame goes through `Executable.stream`, as in an application;
PyTorch runs the dense layer on the same frames, call by call in turn with ours. One thread. The
first column of rates is what was asked, the second what the two steps reached.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

import bcr

ROUNDS = 30
# Rate asked: rate of the rows, rows of a block.
STEPS = {
    1: (1.0, 0),
    10: (1.25, 64),
    19: (1.25, 64),
    29: (2.0, 64),
    43: (5.0, 96),
    80: (5.0, 96),
    103: (8.0, 128),
    153: (8.0, 128),
    245: (12.0, 192),
    301: (15.0, 256),
}


class Layers(nn.Module):
    """The network of RTMobile's table 1 without its last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(39, 1024, 2)

    def forward(self, frames: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y, h = self.rnn(frames, h)
        return y, h


def prune(weight: torch.Tensor, rate: float, row_rate: float, height: int) -> None:
    """Prune a matrix in two steps to about `rate`."""
    rng = np.random.default_rng(weight.numel())
    width = 64 if weight.shape[1] > 64 else weight.shape[1]

    def dropped(count: int, by: float) -> torch.Tensor:
        drop = np.ones(count, bool)
        drop[rng.choice(count, max(1, round(count / by)), replace=False)] = False
        return torch.from_numpy(drop)

    for rows in weight.detach().split(height):
        for block in rows.split(width, dim=1):
            block[:, dropped(block.shape[1], rate / row_rate)] = 0
        rows[dropped(rows.shape[0], row_rate)] = 0


def medians(*calls: Callable[[], Any]) -> list[float]:
    """Return the median time of each call in microseconds, taken in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, seen in zip(calls, times):
            call()
            call()
            begin = time.perf_counter()
            call()
            seen.append(time.perf_counter() - begin)
    return [1e6 * statistics.median(seen) for seen in times]


def measure(rate: int) -> str:
    """Return a line of the table."""
    torch.manual_seed(0)
    model = Layers().eval()
    matrices = [p for p in model.parameters() if p.dim() == 2]
    row_rate, height = STEPS[rate]
    if rate > 1:
        for weight in matrices:
            prune(weight, rate, row_rate, height)
    reached = sum(p.numel() for p in matrices) / sum(int(p.count_nonzero()) for p in matrices)
    h = torch.zeros(2, 1, 1024)
    found = []
    for steps in (1, 100):
        frames = torch.randn(steps, 1, 39)
        exe = bcr.compile(model, (frames, h), num_threads=1)
        with torch.no_grad():
            difference = float((exe(frames, h)[0] - model(frames, h)[0]).abs().max())
        assert difference < 1e-4, difference
        stream = exe.stream({"h": 1}, reuse=True)
        times = medians(partial(stream, frames), partial(model, frames, h))
        found += [t / steps for t in times]
    stored = sum(layer.value_bytes + layer.index_bytes for layer in exe.report().layers)
    return (
        f"{rate:5}x {reached:7.1f}x {stored / 1e3:9.0f} kB {found[0]:9.1f} {found[1]:9.1f} "
        f"{found[1] / found[0]:6.1f}x {found[2]:11.1f} {found[3]:9.1f} {found[3] / found[2]:6.1f}x"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", type=int, nargs="+", default=list(STEPS), choices=list(STEPS))
    rates = parser.parse_args().rates
    torch.set_num_threads(1)
    print(
        "  rate  reached       packed  us/frame   PyTorch   ratio  us/frame, 100  PyTorch   ratio"
    )
    with torch.no_grad():
        for rate in rates:
            print(measure(rate), flush=True)


if __name__ == "__main__":
    main()
