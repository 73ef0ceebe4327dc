"""Calls without Python in between. Use it through `bcr.Executable` and `bcr.Stream`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

class Repeater:
    """Calls compiled code again as it was called before.

    A call holds the lock. It copies its inputs to the memories and calls what was kept for this
    phase, if something was and each input is an array of its memory's element type and shape, in
    C order. Otherwise it returns `self._run(*inputs, **named)`. An `n > 0` that the code returns
    becomes `self._fail(n)`, and the phase stays; after a call that succeeds it is the other one.
    """

    def __init__(self, memories: Sequence[npt.NDArray[Any] | None]) -> None:
        """Take one contiguous array for each input; with None nothing is ever kept."""

    def __call__(self, *inputs: Any, **named: Any) -> Any: ...
    def _keep(
        self,
        entry: int,
        inputs: int,
        outputs: int,
        weights: int,
        workspace: int,
        dims: int,
        result: Any,
    ) -> None:
        """Keep the addresses of the code and its arguments, and what a call returns."""

    def _forget(self) -> None:
        """Keep nothing for this phase."""

    def _swap(self) -> None:
        """Go to the other phase."""

    def _acquire(self) -> None:
        """Take the lock; the interpreter runs other threads while this one waits."""

    def _release(self) -> None: ...
    @property
    def _phase(self) -> int:
        """0 or 1."""

class DirectCall:
    """Calls compiled code with arrays that need no conversion."""

    def __init__(
        self,
        entry: int,
        weights: int,
        workspaces: list[npt.NDArray[np.uint8]],
        inputs: Sequence[tuple[np.dtype[Any], tuple[int, ...]]],
        outputs: Sequence[tuple[np.dtype[Any], tuple[int, ...]]],
    ) -> None:
        """Take two addresses, the list of free workspaces, and what a call takes and returns.

        The code and the weights have to outlive the object.
        """

    def __call__(self, values: tuple[Any, ...]) -> list[npt.NDArray[Any]] | int | None:
        """Run the code in one of the workspaces.

        Returns:
            The results; what the code returned, if that is not 0; None if the call needs more: no
            workspace is free, or a value is not a plain, aligned array of its element type and
            shape in C order.
        """
