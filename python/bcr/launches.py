"""What the host enqueues in a call: launches of kernels on parts of buffers, and loops of them.

`bcr-emit-schedule` writes it (see passes/README.md); it is data, and needs neither compiler nor
OpenCL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from bcr.errors import FormatError, UnsupportedError
from bcr.frontend.specs import InputSpec, OutputSpec
from bcr.tables import bytes_text

STATUS_BYTES = 4
"""The buffer `status`: one int32, 0 or the number of the check that failed."""


@dataclass(frozen=True)
class Argument:
    """A part of a buffer that a kernel gets.

    Attributes:
        space: "input", "output", "weights", "arena" or "status"; or "turn": the number of the turn
            of a loop, as an int64.
        number: which input or output; which loop around the launch, from the innermost; else 0.
        begin: its first byte.
        size: bytes that the kernel may touch.
    """

    space: str
    number: int
    begin: int
    size: int


@dataclass(frozen=True)
class Launch:
    """One kernel to enqueue.

    Attributes:
        kernel: its name in the SPIR-V module.
        label: the layer it belongs to, or what it does, such as "copy".
        groups, local: work-groups, and work-items of a group, in x, y and z.
        arguments: in the order of the kernel's parameters.
        loads, stores: places of the arguments that the kernel reads and writes; empty in files of
            version 0.1.
    """

    kernel: str
    label: str
    groups: tuple[int, int, int]
    local: tuple[int, int, int]
    arguments: tuple[Argument, ...]
    loads: tuple[int, ...] = ()
    stores: tuple[int, ...] = ()

    @property
    def items(self) -> tuple[int, int, int]:
        """Work-items in x, y and z."""
        x, y, z = (groups * local for groups, local in zip(self.groups, self.local))
        return x, y, z

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Launch:
        """Read a launch of `bcr.schedule`, or what `to_json` returned."""
        arguments = tuple(
            Argument(str(space), int(number), int(begin), int(size))
            for space, number, begin, size in value["arguments"]
        )
        groups, local = (tuple(map(int, value[name])) for name in ("groups", "local"))
        if len(groups) != 3 or len(local) != 3 or min(groups + local) < 1:
            raise ValueError("groups and local are three positive numbers each")
        loads, stores = (tuple(map(int, value.get(name, ()))) for name in ("loads", "stores"))
        if any(not 0 <= place < len(arguments) for place in loads + stores):
            raise ValueError("loads and stores are places of arguments")
        return cls(
            str(value["kernel"]), str(value["label"]), groups, local, arguments, loads, stores
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value that `from_json` reads back."""
        return {
            "kernel": self.kernel,
            "label": self.label,
            "groups": list(self.groups),
            "local": list(self.local),
            "arguments": [[a.space, a.number, a.begin, a.size] for a in self.arguments],
            "loads": list(self.loads),
            "stores": list(self.stores),
        }


@dataclass(frozen=True)
class Repeat:
    """A part of the schedule that is enqueued several times.

    Attributes:
        turns: how often.
        body: launches, and loops of them.
    """

    turns: int
    body: Schedule

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value that `schedule_from_json` reads back."""
        return {"repeat": self.turns, "body": [step.to_json() for step in self.body]}


Schedule: TypeAlias = "tuple[Launch | Repeat, ...]"


def schedule_from_json(value: Sequence[Mapping[str, Any]]) -> Schedule:
    """Read `bcr.schedule`, or a list of what `to_json` returned.

    Raises:
        FormatError: `value` does not describe a schedule.
    """
    try:
        return tuple(
            Repeat(int(step["repeat"]), schedule_from_json(step["body"]))
            if "repeat" in step
            else Launch.from_json(step)
            for step in value
        )
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"the schedule of kernels is damaged: {error}") from None


def launches_of(schedule: Schedule, depth: int = 0) -> Iterator[tuple[Launch, int]]:
    """Yield every launch once, with the number of loops around it."""
    for step in schedule:
        if isinstance(step, Repeat):
            yield from launches_of(step.body, depth + 1)
        else:
            yield step, depth


def unrolled(
    schedule: Schedule, turns: tuple[int, ...] = ()
) -> Iterator[tuple[Launch, tuple[int, ...]]]:
    """Yield launches in the order in which a call enqueues them, those in a loop at every turn of
    it, with the numbers of the turns of the loops around each, from the innermost."""
    for step in schedule:
        if isinstance(step, Repeat):
            for turn in range(step.turns):
                yield from unrolled(step.body, (turn, *turns))
        else:
            yield step, turns


def tensor_bytes(spec: InputSpec | OutputSpec) -> int:
    """Return the size of a tensor whose shape is fixed."""
    width = 2 if spec.dtype == "bfloat16" else np.dtype(spec.dtype).itemsize
    count = 1
    for size in spec.shape:
        assert isinstance(size, int), "kernels are made for fixed shapes"
        count *= size
    return count * width


def check_schedule(
    schedule: Schedule,
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    weights: int,
    arena: int,
) -> None:
    """Check that every argument lies in its buffer.

    Args:
        schedule: launches, and loops of them.
        inputs, outputs: the model's tensors.
        weights, arena: bytes of the pool of constants and of the arena.

    Raises:
        FormatError: an argument does not.
    """
    sizes = {("weights", 0): weights, ("arena", 0): arena, ("status", 0): STATUS_BYTES}
    sizes.update({("input", i): tensor_bytes(spec) for i, spec in enumerate(inputs)})
    sizes.update({("output", i): tensor_bytes(spec) for i, spec in enumerate(outputs)})
    for launch, depth in launches_of(schedule):
        for argument in launch.arguments:
            if argument.space == "turn" and 0 <= argument.number < depth:
                continue
            size = sizes.get((argument.space, argument.number))
            if size is None or not 0 <= argument.begin <= argument.begin + argument.size <= size:
                raise FormatError(
                    f"the schedule of kernels is damaged: {launch.kernel} reaches outside of "
                    f"{argument.space} {argument.number}"
                )


def check_reach(schedule: Schedule) -> None:
    """Check that no kernel sees more of a buffer than Vulkan's 32-bit indices reach.

    Raises:
        UnsupportedError: one does; the message says which, and how much.
    """
    for launch, _ in launches_of(schedule):
        for argument in launch.arguments:
            if argument.size >= 1 << 32:
                raise UnsupportedError(
                    f"{launch.label or launch.kernel} takes {bytes_text(argument.size)} of "
                    f"{argument.space} at once, and the 32-bit indices of Vulkan reach 4.29 GB: "
                    'compile for a smaller batch, or for target="opencl"'
                )
