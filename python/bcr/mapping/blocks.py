"""The size of a block: small ones keep accuracy, large ones are fast."""

from __future__ import annotations

from collections.abc import Mapping

from bcr.errors import ConfigError
from bcr.mapping.choice import Form

TOLERANCE = 0.05
"""A block may be so much slower than the fastest one."""

BLOCKS = tuple((rows, columns) for rows in (4, 8, 16) for columns in (16, 64, 256))
"""Blocks that are tried, rows by columns."""


def smallest_block(
    seconds: Mapping[Form, float], matrix: tuple[int, int], tolerance: float = TOLERANCE
) -> Form:
    """Return the form of the smallest block whose time is within a tolerance of the fastest.

    After GRIM (Niu et al., TPAMI 2021), which finds block sizes layer by layer: accuracy falls with
    the size of a block, and speed stops to rise with it. Of equal areas the faster one is taken.

    Args:
        seconds: time of each form, all at one rate.
        matrix: (M, K) of the layer's weight matrix.
        tolerance: 0.05 admits what takes 5 % longer than the fastest.

    Raises:
        ConfigError: there is no form, or the tolerance is negative.
    """
    if not seconds or not tolerance >= 0:
        raise ConfigError(
            f"a block is chosen among measured ones with a tolerance of at least 0, got "
            f"{len(seconds)} of them and {tolerance!r}"
        )
    limit = min(seconds.values()) * (1 + tolerance)
    admitted = [form for form, time in seconds.items() if time <= limit]
    return min(admitted, key=lambda form: (form.area(matrix), seconds[form]))
