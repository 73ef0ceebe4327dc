"""Show what measuring brings over the cost model, layer by layer and for whole networks.

    python tools/bench/tuning.py [--seconds 120] [--rate 8] [--records FILE] [NETWORK ...]

Each network is compiled twice, with the schedules of the model and with those that tuning found;
both run in turns, so that a drift of the machine hits both alike. A layer's "alone" is the ratio of
times that the search measured for the layer by itself, "inside" that of the layer in the network.
Give a record file to keep what was measured: a second run with it only compares.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

import bcr
import bcr.models
from bcr.tables import NUMBER, TEXT, render
from bcr.tuning.records import target_key
from bcr.tuning.tuner import compare_networks, measure_layers

NETWORKS = {"vgg16": 8.0, "resnet50": 8.0, "mobilenet_v2": 4.0}
"""The networks, each with its rate."""
SHOWN = 0.004
"""Layers of a smaller share of the time have no line of their own."""


def make_model(name: str, rate: float, block: tuple[int, int]) -> nn.Module:
    """Prune all layers but the first convolution and the depthwise ones."""
    model = bcr.models.get(name)
    convolutions = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    dense = {convolutions[0][0], *(n for n, m in convolutions if m.groups > 1)}
    config = bcr.PruneConfig(
        rate=rate, block=block, scheme="columns", oversize="clip", modules=dict.fromkeys(dense)
    )
    bcr.Pruner(model, config).finalize()
    return model


def measure(name: str, rate: float, options: argparse.Namespace, records: Path) -> str:
    """Tune one network and return its table."""
    model = make_model(name, rate, tuple(options.block))
    inputs = bcr.models.inputs(name)
    config = bcr.TuneConfig(records, seconds=options.seconds, trials=options.trials)
    bcr.compile(model, inputs, tune=config)
    # All that the file has, also what the network as a whole did not want.
    tuned = bcr.compile(model, inputs, tune=records, verify=True)
    plain = bcr.compile(model, inputs, verify=True)
    found = bcr.TuningRecords.load(records).of(target_key(tuned.target, 1))

    def run(exe: bcr.Executable, stamps: Any) -> object:
        return exe.run_with_stamps(inputs, {}, stamps)

    before, after = measure_layers([plain, tuned], run, seconds=options.compare)
    ratio = compare_networks(plain, tuned, run)
    total = sum(before.values())
    chosen = {layer.name: layer.kernel for layer in plain.report().layers}
    now = {layer.name: layer.kernel for layer in tuned.report().layers}
    rows = []
    below, best = 0, 0.0
    for layer, ticks in before.items():
        record = found.get(tuned.program.layers[layer].get("tuning_key", ""))
        if record is None:
            continue
        best += ticks / record.speedup
        below += record.speedup > 1 / 0.9
        if ticks < SHOWN * total:
            continue
        rows.append(
            (
                layer,
                f"{ticks / total:.1%}",
                chosen[layer],
                now[layer] + (f" band {b}" if (b := record.schedule.get("band")) else ""),
                f"{record.speedup:.2f}x",
                f"{ticks / after[layer]:.2f}x",
                str(record.trials),
            )
        )
    columns = [("layer", TEXT), ("share", NUMBER), ("model", TEXT), ("tuned", TEXT)]
    columns += [("alone", NUMBER), ("inside", NUMBER), ("trials", NUMBER)]
    known = sum(
        ticks
        for layer, ticks in before.items()
        if tuned.program.layers[layer].get("tuning_key") in found
    )
    footer = (
        f"{name}: tuned runs {1 / ratio:.3f}x as fast; the model alone reaches "
        f"{ratio:.1%} of tuned, over its layers {best / known:.1%}; {below} layers below 90 %"
    )
    return render(f"{name} at {rate:g}x, one thread, f32, batch 1", columns, rows, footer)


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--rate", type=float, help="default: 8, MobileNet-V2 4")
    parser.add_argument("--block", type=int, nargs=2, default=(8, 64))
    parser.add_argument("--seconds", type=float, default=120, help="for tuning one network")
    parser.add_argument("--trials", type=int, default=64, help="most schedules a layer")
    parser.add_argument("--compare", type=float, default=8, help="seconds for comparing")
    parser.add_argument("--records", type=Path, help="record file; default: a temporary one")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        records = options.records or Path(folder) / "records.json"
        for name in options.networks:
            rate = options.rate or NETWORKS.get(name, 8.0)
            print(measure(name, rate, options, records), flush=True)
            print(file=sys.stderr)


if __name__ == "__main__":
    main()
