"""What the kernels of each layer compute, and the memory they read and write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bcr.launches import Launch, Repeat, Schedule
from bcr.program import Constant, Program

_BYTES = {"f32": 4, "f16": 2}
_COPIES = ("padding", "transpose", "transpose_back", "phases")
"""Kernels that bring a layer's input or result into another layout, by the ends of their labels."""


@dataclass(frozen=True)
class Traffic:
    """What a layer does in a call, on a GPU.

    Each part of memory counts once for a launch of the layer's kernels, as if a cache held all of
    it: zeros of the padding and gaps between rows are read, and copies of the input are read and
    written. What the groups of work-items read again comes on top, from the device's caches where
    it fits.

    Attributes:
        flops: multiplications and additions with stored weights.
        weight_bytes: values of the weights and biases that are read.
        index_bytes: index arrays that are read.
        read_bytes: activations that are read: input, residual, earlier sums.
        written_bytes: activations that are written.
    """

    flops: int
    weight_bytes: int
    index_bytes: int
    read_bytes: int
    written_bytes: int

    @property
    def bytes(self) -> int:
        """All bytes, read and written."""
        return self.weight_bytes + self.index_bytes + self.read_bytes + self.written_bytes

    @property
    def intensity(self) -> float:
        """Multiplications and additions for each byte."""
        return self.flops / max(self.bytes, 1)


def layer_traffic(program: Program) -> dict[str, Traffic]:
    """Return the traffic of each layer, by its qualified name.

    Empty for processors, whose kernels are loops, and for a file of an earlier version, whose
    schedule does not say what a kernel loads and stores.
    """
    if program.schedule is None:
        return {}
    kinds = {constant.offset: constant for constant in program.constants}
    launches: dict[str, list[tuple[Launch, int]]] = {}
    for launch, turns in _repeated(program.schedule, 1):
        name, _, part = launch.label.rpartition(".")
        owner = name if part in _COPIES and launch.label not in program.layers else launch.label
        if owner in program.layers and (launch.loads or launch.stores):
            launches.setdefault(owner, []).append((launch, turns))
    return {name: _traffic(program.layers[name], parts, kinds) for name, parts in launches.items()}


def _repeated(schedule: Schedule, turns: int) -> Iterator[tuple[Launch, int]]:
    """Yield each launch, and how often it runs."""
    for step in schedule:
        if isinstance(step, Repeat):
            yield from _repeated(step.body, turns * step.turns)
        else:
            yield step, turns


def _traffic(
    info: dict[str, object],
    launches: Sequence[tuple[Launch, int]],
    constants: dict[int, Constant],
) -> Traffic:
    # Kernels of one layer that read the same memory read it once: they share rows out.
    read: dict[tuple[str, str, int, int], int] = {}
    written = dict(read)
    for launch, turns in launches:
        for numbers, sizes in ((launch.loads, read), (launch.stores, written)):
            for number in numbers:
                part = launch.arguments[number]
                key = (launch.label, part.space, part.number, part.begin)
                sizes[key] = max(sizes.get(key, 0), turns * part.size)
    weights = indices = activations = 0
    for (_, space, _, begin), size in read.items():
        if space != "weights":
            activations += size
        elif begin in constants and not constants[begin].dtype.startswith("i"):
            weights += size
        else:
            indices += size
    stored = int(str(info.get("value_bytes", 0))) // _BYTES[str(info.get("storage", "f32"))]
    positions = max(int(str(info.get("positions", 0))), 0)
    return Traffic(2 * stored * positions, weights, indices, activations, sum(written.values()))
