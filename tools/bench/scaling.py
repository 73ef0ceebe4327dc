"""Compile chains of more and more layers: time and code must grow with their number, not faster.

    python tools/bench/scaling.py [--layers 10 25 50 100 200 400] [--json FILE] [--plot FILE]

A chain is convolution, batch norm and ReLU over and over, 3x3 and 1x1 in turn, with a residual
around each pair and another number of channels every ten layers; every layer has weights of its
own, pruned 4x. Seconds are from the imported model to machine code. Exits with 1 if a layer of the
longest chain takes more than `--most` times as long as one of the 50-layer chain, or of the
shortest if that is longer.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

import bcr
from bcr.compiler import compile_imported
from bcr.frontend import import_model
from bcr.progress import Stages
from bcr.tables import NUMBER, bytes_text, render, time_text

LAYERS = (10, 25, 50, 100, 200, 400)
CHANNELS = (16, 24, 32)
IMAGE = 14


class Pair(nn.Module):
    """A 3x3 and a 1x1 convolution with batch norm and ReLU; a residual where the shapes agree."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.residual = channels == out
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, channels, H, W] to [N, out, H, W]."""
        y: torch.Tensor = self.body(x)
        return self.relu(x + y if self.residual else y)


@dataclass(frozen=True)
class Point:
    """A chain: its layers, the seconds of each stage and all of them, and bytes of machine code."""

    layers: int
    seconds: float
    code: int
    stages: dict[str, float]


def make_chain(layers: int) -> nn.Module:
    """Return a chain of that many convolutions, pruned, in eval mode."""
    torch.manual_seed(0)
    pairs, channels = [], CHANNELS[0]
    for i in range((layers + 1) // 2):
        out = CHANNELS[i // 5 % len(CHANNELS)]
        pairs.append(Pair(channels, out))
        channels = out
    if layers % 2:
        last = pairs.pop()
        pairs.append(nn.Sequential(*list(last.body)[:3]))  # type: ignore[arg-type]
    model = nn.Sequential(*pairs).eval()
    config = bcr.PruneConfig(rate=4, block=(8, 16), scheme="columns")
    bcr.Pruner(model, config).finalize()
    return model


def measure(layers: int) -> Point:
    """Import and compile one chain."""
    model = make_chain(layers)
    x = torch.zeros(1, CHANNELS[0], IMAGE, IMAGE)
    imported = import_model(model, (x,), {})
    with Stages(False) as stages:
        program = compile_imported(
            imported, bcr.Target(), sparsity="force", num_threads=1, stages=stages
        )
    return Point(layers, sum(stages.times.values()), len(program.code or b""), stages.times)


def table(points: list[Point]) -> str:
    """Return one row per chain."""
    columns = [("layers", NUMBER), ("compile", NUMBER), ("a layer", NUMBER), ("code", NUMBER)]
    columns += [("code a layer", NUMBER), ("LLVM's share", NUMBER)]
    rows = [
        (
            str(p.layers),
            time_text(p.seconds),
            time_text(p.seconds / p.layers),
            bytes_text(p.code),
            bytes_text(p.code / p.layers),
            f"{sum(t for name, t in p.stages.items() if 'LLVM' in name) / p.seconds:.0%}",
        )
        for p in points
    ]
    return render("Compilation of chains, import not counted", columns, rows)


def plot(points: list[Point], path: Path) -> None:
    """Draw seconds over layers. Needs matplotlib."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([p.layers for p in points], [p.seconds for p in points], "o-")
    axes.set_xlabel("layers")
    axes.set_ylabel("seconds to compile")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    figure.savefig(path)


def main() -> None:
    """Measure, print the table and check the growth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, nargs="+", default=list(LAYERS))
    parser.add_argument("--most", type=float, default=1.5, help="growth of the time of a layer")
    parser.add_argument("--stages", action="store_true", help="print every stage of each chain")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    parser.add_argument("--plot", type=Path, help="PNG file to draw")
    options = parser.parse_args()
    torch.set_num_threads(1)
    # The first compilation of a process also loads libraries.
    measure(2)
    points = []
    for layers in sorted(options.layers):
        points.append(measure(layers))
        if options.stages:
            print(layers, {k: round(v, 3) for k, v in points[-1].stages.items()}, file=sys.stderr)
    print(table(points))
    if options.json:
        options.json.write_text(json.dumps([asdict(point) for point in points], indent=1))
    if options.plot:
        plot(points, options.plot)
    base = next((p for p in points if p.layers >= 50), points[-1])
    growth = points[-1].seconds / points[-1].layers / (base.seconds / base.layers)
    print(
        f"a layer of {points[-1].layers} takes {growth:.2f} times as long as one of {base.layers}"
    )
    sys.exit(growth > options.most)


if __name__ == "__main__":
    main()
