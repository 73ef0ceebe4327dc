"""The hot loops of the recurrent benchmark's GRU, modelled on an AArch64 core.

A step is products, a loop over the columns of a group of rows, and equations, a loop over vectors
of four units, which is the one with divisions. llvm-mca knows no cache misses: the products' bytes
a cycle are what the caches would have to deliver.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

import bcr
from bcr.tables import NUMBER, TEXT, render
from bench.aarch64.hot_loop import HotLoop, analyse, find_loops
from bench.aarch64.layers import FMLA_PER_CYCLE
from bench.recurrent import FEATURES, LAYERS, UNITS, make_model

LANES = 4


@dataclass
class Result:
    """What the model says of one loop.

    Attributes:
        cycles: of a turn.
        share: of `FMLA_PER_CYCLE`.
        bytes_per_cycle: weights that a turn of the products reads; 0 of the equations.
    """

    rate: int
    loop: str
    multiply_adds: int
    instructions: int
    cycles: float
    share: float
    bytes_per_cycle: float
    spills: int


def find_loops_of_step(code: bytes) -> dict[str, HotLoop]:
    """Return the loop of the products with the most multiply-adds, and that of the equations."""
    loops = sorted(find_loops(code), key=lambda loop: loop.multiply_adds)
    divides = [any(text.startswith("fdiv") for text in loop.instructions) for loop in loops]
    return {
        "products": next(loop for loop, d in zip(loops[::-1], divides[::-1]) if not d),
        "equations": next(loop for loop, d in zip(loops[::-1], divides[::-1]) if d),
    }


def model_rates(rates: Sequence[int], target: bcr.Target, model_cpu: str) -> Iterator[Result]:
    """Compile the GRU for one frame a call at each rate and model its loops."""
    for rate in rates:
        inputs = torch.zeros(1, 1, FEATURES), torch.zeros(LAYERS, 1, UNITS)
        executable = bcr.compile(make_model(rate), inputs, target=target, sparsity="auto")
        for name, loop in find_loops_of_step(executable.program.code or b"").items():
            cycles = analyse(loop, model_cpu).cycles
            count = loop.multiply_adds
            yield Result(
                rate,
                name,
                count,
                len(loop.instructions),
                cycles,
                count / cycles / FMLA_PER_CYCLE,
                4 * LANES * count / cycles if name == "products" else 0.0,
                loop.spills,
            )


def table(results: Sequence[Result], cpu: str, model_cpu: str) -> str:
    """Return one row per loop."""
    columns = [
        ("rate", NUMBER), ("loop", TEXT), ("fmla", NUMBER), ("instructions", NUMBER),
        ("cycles", NUMBER), ("of 2 fmla/cycle", NUMBER), ("bytes of weights/cycle", NUMBER),
        ("spills", NUMBER),
    ]  # fmt: skip
    rows = [
        (
            f"{r.rate}x", r.loop, str(r.multiply_adds), str(r.instructions), f"{r.cycles:.1f}",
            f"{r.share:.0%}", f"{r.bytes_per_cycle:.1f}" if r.bytes_per_cycle else "",
            str(r.spills),
        )
        for r in results
    ]  # fmt: skip
    title = f"GRU 2x1024, one frame a call, code for {cpu}, llvm-mca for {model_cpu}"
    return render(title, columns, rows, "products: a turn is a column or a few of a group of rows")
