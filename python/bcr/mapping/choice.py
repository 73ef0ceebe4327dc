"""What can be done to a layer: a form, which is a scheme with its block, at a rate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bcr.pruning.validate import Block


@dataclass(frozen=True)
class Form:
    """A scheme of `bcr.PruneConfig` and its block; `block` None for a scheme without blocks.

    The block of "block-punched" is its `kernel_block`, filters by channels.
    """

    scheme: str
    block: Block | None = None

    def __str__(self) -> str:
        if self.block is None:
            return self.scheme
        return f"{self.scheme} {block_text(self.block)}"

    def rates(self, rates: Sequence[float]) -> tuple[float, ...]:
        """Return those of some rates that the scheme can have: an N:M scheme has M / N."""
        counts = re.fullmatch(r"(\d+):(\d+)", self.scheme)
        return (int(counts[2]) / int(counts[1]),) if counts else tuple(rates)

    def area(self, matrix: tuple[int, int]) -> int:
        """Return the weights of a block of a matrix W[M, K]: all of them without a block."""
        if self.block is None or self.block == "matrix":
            return matrix[0] * matrix[1]
        return min(self.block[0], matrix[0]) * min(self.block[1], matrix[1])

    def fitted(self, matrix: tuple[int, int]) -> Form:
        """Return the form with its block clipped to a matrix W[M, K]: equal ones are one."""
        if self.block is None or self.block == "matrix" or self.scheme == "block-punched":
            return self
        return Form(self.scheme, (min(self.block[0], matrix[0]), min(self.block[1], matrix[1])))


@dataclass(frozen=True)
class Choice:
    """A form at a rate (weights by kept weights); `form` None: the layer stays dense.

    `rows` is how many rows a whole block keeps where the scheme leaves that to the weights
    ("both"), as far as it is known: time depends on it, a configuration does not.
    """

    form: Form | None = None
    rate: float = 1.0
    rows: int | None = None

    def __str__(self) -> str:
        if self.form is None:
            return "dense"
        rows = "" if self.rows is None else f" rows {self.rows}"
        return f"{self.form} rate {self.rate:g}{rows}"

    @property
    def override(self) -> dict[str, Any] | None:
        """What `PruneConfig.modules` takes for it."""
        if self.form is None:
            return None
        settings: dict[str, Any] = {"rate": self.rate, "scheme": self.form.scheme}
        if self.form.block is not None:
            name = "kernel_block" if self.form.scheme == "block-punched" else "block"
            settings[name] = self.form.block
        return settings


DENSE = Choice()
"""The layer as it is."""


def block_text(block: Block | None) -> str:
    """Return a block as people write it, such as "8x64"."""
    if block is None:
        return "-"
    return block if isinstance(block, str) else f"{block[0]}x{block[1]}"
