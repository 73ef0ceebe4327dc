"""The recurrent benchmark's GRU on AArch64: hot loops in a model of a core, instructions counted.

A step is products, a loop over the columns of a group of rows, and equations, a loop over vectors
of four units, which is the one with divisions. llvm-mca knows no cache misses: the products' bytes
a cycle are what the caches would have to deliver.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import bcr
from bcr.tables import NUMBER, TEXT, render
from bench.aarch64.emulation import count, count_call
from bench.aarch64.hot_loop import HotLoop, analyse, find_loops
from bench.aarch64.layers import FMLA_PER_CYCLE
from bench.aarch64.program import SYSROOT, build
from bench.measure import TOLERANCE, difference
from bench.recurrent import (
    FEATURES,
    LAYERS,
    PIECES,
    UNITS,
    RecurrentCase,
    make_model,
    packed_bytes_of,
    prepare,
)

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
    """Return the loop of the products with the most multiply-adds, and that of the equations.

    Of two with as many, the one with fewer instructions: groups of few rows take more columns a
    turn.
    """
    loops = sorted(find_loops(code), key=lambda loop: (loop.multiply_adds, -len(loop.instructions)))
    divides = [any(text.startswith("fdiv") for text in loop.instructions) for loop in loops]
    return {
        "products": next(loop for loop, d in zip(loops[::-1], divides[::-1]) if not d),
        "equations": next(loop for loop, d in zip(loops[::-1], divides[::-1]) if d),
    }


@dataclass
class FrameCount:
    """Instructions of one call with one frame, one thread.

    Attributes:
        bytes: packed values and indices.
        error: from PyTorch, relative to the largest output.
    """

    rate: int
    instructions: int
    bytes: int
    error: float


def count_rate(rate: int, cpu: str) -> FrameCount:
    """Compile the GRU at a rate for a processor and count a call under QEMU.

    What it says after `PIECES` calls is compared with PyTorch.

    Raises:
        RuntimeError: it differs from PyTorch.
    """
    case = RecurrentCase(rate, 1)
    prepare(case)
    frames = np.load(case.folder / "frames.npy")
    model = torch.load(case.folder / "gru.pt", weights_only=False)
    inputs = torch.from_numpy(frames[0]), torch.zeros(LAYERS, 1, UNITS)
    executable = bcr.compile(model, inputs, target=bcr.Target("aarch64-linux-gnu", cpu))
    sizes = {"FRAMES": PIECES, "INPUT_SIZE": FEATURES}
    sizes |= {"STATE_SIZE": LAYERS * UNITS, "OUTPUT_SIZE": UNITS}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        frames.tofile(folder / "input")
        program = build(executable, "frames.c", sizes, folder)
        command = [program, "{count}", folder / "input", folder / "output"]
        instructions = count_call(command, SYSROOT, cpu)
        count([program, str(PIECES), folder / "input", folder / "output"], SYSROOT, cpu)
        output = np.fromfile(folder / "output", np.float32)
    error = difference(output, np.load(case.folder / "expected.npy")[-1].ravel())
    if not error <= TOLERANCE:
        raise RuntimeError(f"{case}: differs from PyTorch by {error:.1e}")
    return FrameCount(rate, instructions, packed_bytes_of(executable), error)


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


def count_table(counts: Sequence[FrameCount], cpu: str) -> str:
    """Return one row per rate."""
    columns = [
        ("rate", NUMBER), ("thousand instructions", NUMBER), ("less than at 1x", NUMBER),
        ("packed", NUMBER), ("bytes an instruction", NUMBER), ("error", NUMBER),
    ]  # fmt: skip
    rows = [
        (
            f"{c.rate}x", f"{c.instructions / 1e3:.1f}",
            f"{counts[0].instructions / c.instructions:.1f}x",
            f"{c.bytes / 1e3:.0f} kB", f"{c.bytes / c.instructions:.1f}", f"{c.error:.0e}",
        )
        for c in counts
    ]  # fmt: skip
    title = f"GRU 2x1024, instructions of one frame, code for {cpu}, one thread, f32"
    return render(title, columns, rows)
