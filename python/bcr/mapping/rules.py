"""Which scheme a layer gets, by rules on its kind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from bcr.mapping.allocation import Allocation, allocation, default_source, forms_of
from bcr.mapping.blocks import BLOCKS, TOLERANCE
from bcr.mapping.budget import Budget
from bcr.mapping.choice import Choice, Form
from bcr.mapping.latency import LatencySource
from bcr.mapping.network import NetworkLayer
from bcr.mapping.problem import RATES, Problem, make_problem, smallest_blocks
from bcr.mapping.sensitivity import Sensitivity
from bcr.pruning.validate import Block

_PATTERN = "pattern"


def map_by_rules(
    model: nn.Module,
    inputs: Sequence[Any],
    budget: Budget,
    *,
    hard_task: bool = True,
    scheme: str = "both",
    sensitivity: Sensitivity | None = None,
    source: LatencySource | None = None,
    blocks: Sequence[Block] = BLOCKS,
    rates: Sequence[float] = RATES,
    tolerance: float = TOLERANCE,
    exclude: Iterable[str] = (),
    method: str = "oneshot",
    progress: bool = True,
) -> Allocation:
    """Choose the scheme of each layer by rules, then block and rate as `allocate` does.

    The rules follow the rule-based mapping of "Automatic Mapping of the Best-Suited DNN Pruning
    Schemes for Real-Time Mobile Acceleration" (Gong et al., TODAES 2022):

    1. Depthwise convolutions stay dense: they have few weights and lose much.
    2. 3x3 convolutions get patterns where the task is hard, since patterns keep more accuracy, and
       blocks where it is easy, since blocks are faster.
    3. All other layers (1x1, linear, other kernels) get blocks.
    4. A block is the smallest whose time is near that of the fastest.

    One rule is added, since how fast patterns are depends on the compiler: a layer gets patterns
    at a rate only where the measured time is within the tolerance of blocks at the same rate.

    Args:
        model, inputs, budget, sensitivity, source, blocks, rates, tolerance, exclude, method,
            progress: as for `allocate`.
        hard_task: whether the network has little accuracy to spare.
        scheme: of layers that are pruned in blocks.

    Raises:
        ConfigError: an argument is impossible, or the budget cannot be met.
    """

    def forms(layer: NetworkLayer) -> list[Form]:
        patterns = [Form(_PATTERN)] if hard_task and _is_3x3(layer) else []
        return [*patterns, *forms_of((scheme,), blocks)]

    problem = make_problem(
        model,
        inputs,
        budget,
        forms=forms,
        rates=rates,
        select=smallest_blocks(tolerance),
        sensitivity=sensitivity,
        source=source or default_source(budget, blocks, progress),
        exclude=exclude,
        progress=progress,
    )
    patterned = {
        layer.name: _open_patterns(problem, layer, scheme, tolerance)
        for layer in problem.network.layers
        if hard_task and _is_3x3(layer)
    }

    def admit(name: str, choice: Choice) -> bool:
        form = choice.form
        assert form is not None
        if not patterned.get(name):
            return form.scheme == scheme
        return form.scheme == _PATTERN and choice.rate in patterned[name]

    options = problem.solve(admit)
    if options is None:
        # What blocks can do beyond the rates of patterns.
        options = problem.require_solution()
    reasons = {
        layer.name: _reason(layer, hard_task, patterned.get(layer.name))
        for layer in problem.network.layers
    }
    for name, option in options.items():
        form = option.choice.form
        if form is None:
            reasons[name] = "too sensitive for what it gains"
        elif patterned.get(name) and form.scheme != _PATTERN:
            reasons[name] = "3x3, but the budget needs more than patterns give"
    return allocation(problem, options, method, reasons)


def _is_3x3(layer: NetworkLayer) -> bool:
    return layer.specs[0].weight[2:] == (3, 3)


def _open_patterns(
    problem: Problem, layer: NetworkLayer, scheme: str, tolerance: float
) -> set[float]:
    """Return the rates at which patterns are about as fast as blocks; all where nobody measured."""
    blocks: dict[float, float] = {}
    patterns: dict[float, float | None] = {}
    for option in problem.options[layer.name]:
        form = option.choice.form
        if form is not None and form.scheme == _PATTERN:
            patterns[option.choice.rate] = option.seconds
        elif form is not None and form.scheme == scheme and option.seconds is not None:
            blocks[option.choice.rate] = option.seconds
    return {
        rate
        for rate, seconds in patterns.items()
        if seconds is None or rate not in blocks or seconds <= (1 + tolerance) * blocks[rate]
    }


def _reason(layer: NetworkLayer, hard_task: bool, patterned: set[float] | None) -> str:
    if not _is_3x3(layer):
        return "linear" if not layer.specs[0].image else "not 3x3"
    if not hard_task:
        return "3x3, easy task"
    return "3x3, hard task" if patterned else "3x3, but patterns are slower here than blocks"
