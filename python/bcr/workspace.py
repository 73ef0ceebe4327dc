"""The memory that calls of a compiled model work in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bcr.errors import FormatError

ALIGNMENT = 64
"""Alignment of weights and workspaces in bytes: the widest vector, a cache line."""
PAGE = 4096
"""Alignment of weights that a device may read where they are, in bytes."""


@dataclass(frozen=True)
class Arena:
    """The piece of memory that holds all buffers of a call, planned by the compiler.

    Attributes:
        bytes: its size, a multiple of `ALIGNMENT`.
        buffers: how many buffers lie in it.
        buffer_bytes: the sum of their sizes, which they would take if none shared memory.
        live_bytes: the most that is in use at one time: no plan needs less.
        unplanned: buffers that a call allocates, since their size is known at run time only.
    """

    bytes: int = 0
    buffers: int = 0
    buffer_bytes: int = 0
    live_bytes: int = 0
    unplanned: int = 0

    @classmethod
    def from_json(cls, value: Any) -> Arena:
        """Read what `vars` gives, out of a file or a module.

        Raises:
            FormatError: `value` does not describe an arena.
        """
        names = cls.__dataclass_fields__.keys()
        if not isinstance(value, dict) or value.keys() != names:
            raise FormatError(f"the arena needs the fields {', '.join(names)}")
        if any(type(size) is not int or size < 0 for size in value.values()):
            raise FormatError("a field of the arena is no size")
        return cls(**value)


def aligned_bytes(size: int, alignment: int = ALIGNMENT) -> npt.NDArray[np.uint8]:
    """Return `size` bytes, uninitialised, that begin at a multiple of `alignment`."""
    raw = np.empty(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size]


class Workspaces:
    """One workspace for each call that runs at a time.

    Calls from several Python threads at once each get their own; a workspace is kept for the next
    call, so there are as many as calls ever ran at the same time. What it holds before a call does
    not matter.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # Last in, first out: the memory used last is the most likely in a cache. `append` and
        # `pop` of a list are atomic.
        self._free: list[npt.NDArray[np.uint8]] = []

    @property
    def free(self) -> list[npt.NDArray[np.uint8]]:
        """Those that no call uses. Who takes the last one gives it back at the end."""
        return self._free

    @contextmanager
    def lease(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Lend a workspace: uint8, aligned to `ALIGNMENT`."""
        try:
            workspace = self._free.pop()
        except IndexError:
            workspace = aligned_bytes(self._size)
        try:
            yield workspace
        finally:
            self._free.append(workspace)

    def __len__(self) -> int:
        """Return how many workspaces wait for a call."""
        return len(self._free)
