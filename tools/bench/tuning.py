"""What measuring brings over the cost model, layer by layer and for whole networks.

A network is compiled twice, with the schedules of the model and with those that tuning found; both
run in turns, so that a drift of the machine hits both alike.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import bcr
import bcr.models
from bcr.tables import NUMBER, TEXT, render
from bcr.tuning.records import target_key
from bcr.tuning.tuner import compare_networks, measure_layers
from bench.case import Case, make_model
from bench.realtime import real_time

RATES = {"vgg16": 8.0, "resnet50": 8.0, "mobilenet_v2": 4.0}
"""The networks that are tuned, each with its rate."""
SHOWN = 0.004
"""Layers of a smaller share of the time have no line of their own."""
GOOD = 0.9
"""The part of the tuned speed that the model alone has to reach."""


@dataclass(frozen=True)
class Row:
    """One layer. `share` is its part of the network's time, `alone` the speed-up over the model
    that the search measured for the layer by itself, `inside` that of the layer in the network.
    """

    layer: str
    share: float
    model: str
    tuned: str
    alone: float
    inside: float
    trials: int


@dataclass(frozen=True)
class Result:
    """A network; `ratio` is its tuned time divided by that with the model's schedules."""

    network: str
    rows: tuple[Row, ...]
    ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def measure(case: Case, config: bcr.TuneConfig, *, priority: bool) -> Result:
    """Tune a network with a record file, then compare. Run again with the same file, it only
    compares.
    """
    assert config.path is not None
    model = make_model(case)
    inputs = bcr.models.inputs(case.network, seed=case.seed)
    with real_time(priority):
        bcr.compile(model, inputs, tune=config)
    # What the records say layer by layer, also what the search left out for this network.
    tuned = bcr.compile(model, inputs, tune=config.path, verify=True)
    plain = bcr.compile(model, inputs, verify=True)

    def run(exe: bcr.Executable, stamps: Any) -> object:
        return exe.run_with_stamps(inputs, {}, stamps)

    with real_time(priority):
        before, after = measure_layers([plain, tuned], run, seconds=8)
        # Two copies of one program differ by where they lie in memory.
        same = plain.program.code == tuned.program.code
        ratio = 1.0 if same else compare_networks(plain, tuned, run)
    records = bcr.TuningRecords.load(config.path).of(target_key(tuned.target, 1))
    kernels = [{r.name: r.kernel for r in exe.report().layers} for exe in (plain, tuned)]
    total = sum(before.values())
    rows = []
    for layer, ticks in before.items():
        record = records.get(tuned.program.layers[layer].get("tuning_key", ""))
        if record is None:
            continue
        band = record.schedule.get("band")
        rows.append(
            Row(
                layer=layer,
                share=ticks / total,
                model=kernels[0][layer],
                tuned=kernels[1][layer] + (f" band {band}" if band else ""),
                alone=record.speedup,
                inside=ticks / after[layer],
                trials=record.trials,
            )
        )
    return Result(str(case), tuple(rows), ratio)


def table(result: Result) -> str:
    """Return the layers as text, and what the model reaches."""
    columns = [("layer", TEXT), ("share", NUMBER), ("model", TEXT), ("tuned", TEXT)]
    columns += [("alone", NUMBER), ("inside", NUMBER), ("trials", NUMBER)]
    rows = [
        (
            row.layer,
            f"{row.share:.1%}",
            row.model,
            row.tuned,
            f"{row.alone:.2f}x",
            f"{row.inside:.2f}x",
            str(row.trials),
        )
        for row in result.rows
        if row.share >= SHOWN
    ]
    tuned = sum(row.share for row in result.rows)
    ideal = sum(row.share / row.alone for row in result.rows)
    below = sum(row.alone > 1 / GOOD for row in result.rows)
    footer = (
        f"{result.network}: tuned runs {1 / result.ratio:.3f}x as fast as with the model alone, "
        f"which reaches {result.ratio:.1%} of it;\nover {len(result.rows)} layers, each by itself, "
        f"the model reaches {ideal / max(tuned, 1e-9):.1%} of tuned; {below} of them below "
        f"{GOOD:.0%}"
    )
    return render(f"{result.network}, one thread, f32, batch 1", columns, rows, footer)
