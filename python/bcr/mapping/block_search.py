"""The block of each layer at one rate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn

from bcr.mapping.allocation import Allocation, allocation, forms_of
from bcr.mapping.blocks import BLOCKS, TOLERANCE
from bcr.mapping.budget import Budget
from bcr.mapping.latency import LatencySource
from bcr.mapping.measured import MeasuredLatency
from bcr.mapping.problem import make_problem, smallest_blocks
from bcr.pruning.validate import Block
from bcr.target import Target


def choose_blocks(
    model: nn.Module,
    inputs: Sequence[Any],
    rate: float,
    *,
    scheme: str = "both",
    blocks: Sequence[Block] = BLOCKS,
    tolerance: float = TOLERANCE,
    target: str | Target = "host",
    num_threads: int = 1,
    source: LatencySource | None = None,
    exclude: Iterable[str] = (),
    method: str = "oneshot",
    progress: bool = True,
) -> Allocation:
    """Prune all layers at one rate, each in the smallest block that is fast.

    This is the block size search of GRIM (Niu et al., TPAMI 2021): see `smallest_block`.

    Args:
        model: not changed.
        inputs: arguments of its `forward`.
        rate: of every layer.
        scheme: of every layer, one that has blocks.
        blocks: blocks that are tried; they are clipped to smaller layers.
        tolerance: how much slower than the fastest a block may be.
        target, num_threads: what is measured unless `source` is given.
        source: of latencies.
        exclude: qualified names of layers or containers that stay dense.
        method: of the configuration.
        progress: show bars on a terminal.

    Raises:
        ConfigError: an argument is impossible.
    """
    problem = make_problem(
        model,
        inputs,
        Budget(rate=rate, target=target, num_threads=num_threads),
        forms=lambda layer: forms_of((scheme,), blocks),
        rates=(rate,),
        select=smallest_blocks(tolerance),
        source=source or MeasuredLatency(target, num_threads, progress=progress),
        exclude=exclude,
        progress=progress,
    )
    # The last option is the pruned one; a layer that nobody could measure has the dense one alone.
    return allocation(problem, {name: some[-1] for name, some in problem.options.items()}, method)
