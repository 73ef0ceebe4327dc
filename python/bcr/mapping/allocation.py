"""A global budget, spread over the layers by how much each of them suffers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from bcr.mapping.blocks import BLOCKS, TOLERANCE
from bcr.mapping.budget import Budget
from bcr.mapping.choice import DENSE, Choice, Form, block_text
from bcr.mapping.latency import LatencySource
from bcr.mapping.network import NetworkLayer
from bcr.mapping.oneshot import config_of
from bcr.mapping.problem import RATES, Option, Problem, make_problem, smallest_blocks
from bcr.mapping.sensitivity import Sensitivity
from bcr.pruning import PruneConfig
from bcr.pruning.scheme_names import BLOCKED, check_scheme
from bcr.pruning.validate import Block
from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text

SCHEMES = ("columns", "both")
"""Schemes that are tried."""


@dataclass(frozen=True)
class AllocatedLayer:
    """What one layer gets.

    Attributes:
        name, type, matrix: of the layer; (M, K).
        choice: what is done to it.
        harm: the estimate of its sensitivity for this choice.
        kept: weights that it keeps.
        before, after: seconds dense and as chosen, None where nobody measured.
        bytes: of the packed weights, None where nobody measured.
        reason: why this scheme, where a rule chose it.
    """

    name: str
    type: str
    matrix: tuple[int, int]
    choice: Choice
    harm: float
    kept: int
    before: float | None
    after: float | None
    bytes: int | None
    reason: str = ""


@dataclass(frozen=True)
class Allocation:
    """A budget spread over the layers; `print` it for a table.

    Attributes:
        config: for `bcr.Pruner`: layers that are not named in it stay dense.
        layers: in the model's order.
        budget: what was asked for.
        before: measured seconds of a call of the dense network; None where nobody measured.
        after: predicted seconds of a call of the pruned one.
    """

    config: PruneConfig
    layers: tuple[AllocatedLayer, ...]
    budget: Budget
    before: float | None
    after: float | None

    @property
    def rate(self) -> float:
        """Weights by kept weights over all layers that could be pruned."""
        kept = sum(layer.kept for layer in self.layers)
        return sum(math.prod(layer.matrix) for layer in self.layers) / max(kept, 1)

    @property
    def harm(self) -> float:
        """Sum of the layers' harm."""
        return sum(layer.harm for layer in self.layers)

    def __str__(self) -> str:
        def time(seconds: float | None) -> str:
            return "-" if seconds is None else time_text(seconds)

        columns = [("layer", TEXT), ("type", TEXT), ("M x K", NUMBER), ("sensitivity", NUMBER),
                   ("scheme", TEXT), ("block", NUMBER), ("rate", NUMBER), ("before", NUMBER),
                   ("after", NUMBER), ("packed", NUMBER)]  # fmt: skip
        reasons = any(layer.reason for layer in self.layers)
        rows = []
        for layer in self.layers:
            form = layer.choice.form
            row = [
                layer.name or "(model)",
                layer.type,
                "x".join(map(str, layer.matrix)),
                f"{layer.harm:.4g}",
                "dense" if form is None else form.scheme,
                "-" if form is None else block_text(form.block),
                f"{layer.choice.rate:g}x",
                time(layer.before),
                time(layer.after),
                "-" if layer.bytes is None else bytes_text(layer.bytes),
            ]
            rows.append([*row, layer.reason] if reasons else row)
        if reasons:
            columns.append(("why", TEXT))
        asked = getattr(self.budget, self.budget.kind)
        given = {
            "latency": lambda: time_text(asked),
            "bytes": lambda: bytes_text(asked),
            "rate": lambda: f"{asked:g}x",
            "flops": lambda: f"{asked:.4g}",
        }[self.budget.kind]()
        footer = (
            f"{self.budget.kind} asked: {given}; rate of these layers {self.rate:.2f}x, sum of "
            f"sensitivities {self.harm:.4g}"
        )
        if self.after is not None and self.before is not None:
            footer += (
                f"\na call: {time_text(self.before)} dense, {time_text(self.after)} pruned as "
                f"predicted, {self.before / self.after:.2f}x"
            )
        return render("Allocation", columns, rows, footer)


def allocate(
    model: nn.Module,
    inputs: Sequence[Any],
    budget: Budget,
    *,
    sensitivity: Sensitivity | None = None,
    source: LatencySource | None = None,
    schemes: Sequence[str] = SCHEMES,
    blocks: Sequence[Block] = BLOCKS,
    rates: Sequence[float] = RATES,
    tolerance: float = TOLERANCE,
    exclude: Iterable[str] = (),
    method: str = "oneshot",
    progress: bool = True,
) -> Allocation:
    """Choose scheme, block and rate of each layer: the least harm within a budget.

    For each layer, scheme and rate the block is the smallest that is fast (`smallest_block`); then
    one choice a layer is taken so that the sum of the harms is least and the sum of the costs is
    within the budget, exactly (`bcr.mapping.knapsack`).

    Args:
        model: dense, trained; not changed.
        inputs: arguments of its `forward`: batch and image sizes are those that are measured.
        budget: the bound on the whole network.
        sensitivity: estimates the harm of a choice; default: `ProjectionError`, which needs no
            data. `LossIncrease` with calibration data is better.
        source: of latencies; default: `MeasuredLatency` of the budget's target, unless the budget
            is a rate or FLOPs and one block is given, where nothing needs to be measured.
        schemes: names of `PruneConfig.scheme` that are tried.
        blocks: blocks that are tried; they are clipped to smaller layers.
        rates: rates that are tried.
        tolerance: of the choice of a block.
        exclude: qualified names of layers or containers that stay dense.
        method: of the configuration.
        progress: show bars on a terminal.

    Raises:
        ConfigError: an argument is impossible, or the budget cannot be met; the message says what
            can.
    """
    problem = make_problem(
        model,
        inputs,
        budget,
        forms=lambda layer: forms_of(schemes, blocks),
        rates=rates,
        select=smallest_blocks(tolerance),
        sensitivity=sensitivity,
        source=source or default_source(budget, blocks, progress),
        exclude=exclude,
        progress=progress,
    )
    return allocation(problem, problem.require_solution(), method)


def forms_of(schemes: Iterable[str], blocks: Sequence[Block]) -> list[Form]:
    """Return the forms of some schemes; those without blocks have one each.

    Raises:
        ConfigError: there is no such scheme.
    """
    return [
        Form(scheme, block)
        for scheme in (check_scheme(scheme, "schemes") for scheme in schemes)
        for block in (blocks if scheme in BLOCKED else (None,))
    ]


def default_source(budget: Budget, blocks: Sequence[Block], progress: bool) -> LatencySource | None:
    """Return what measures the budget's target; None where nothing needs to be measured."""
    if budget.kind in ("rate", "flops") and len(blocks) == 1:
        return None
    from bcr.mapping.measured import MeasuredLatency

    return MeasuredLatency(budget.target, budget.num_threads, progress=progress)


def allocation(
    problem: Problem,
    options: Mapping[str, Option],
    method: str = "oneshot",
    reasons: Mapping[str, str] | None = None,
) -> Allocation:
    """Return options of a problem as what `allocate` returns."""
    layers = tuple(
        _layer(layer, problem, options[layer.name], (reasons or {}).get(layer.name, ""))
        for layer in problem.network.layers
    )
    weights = sum(layer.weights for layer in problem.network.layers)
    rate = weights / max(sum(layer.kept for layer in layers), 1)
    config = config_of(
        {layer.name: layer.choice for layer in layers},
        problem.network.names,
        max(round(rate, 2), 1.0),
        method,
    )
    return Allocation(config, layers, problem.budget, problem.before, problem.seconds(options))


def _layer(layer: NetworkLayer, problem: Problem, option: Option, reason: str) -> AllocatedLayer:
    dense = problem.options[layer.name][0]
    assert dense.choice == DENSE
    return AllocatedLayer(
        layer.name,
        layer.type,
        layer.matrix,
        option.choice,
        option.harm,
        option.kept,
        dense.seconds,
        option.seconds,
        option.bytes,
        reason,
    )
