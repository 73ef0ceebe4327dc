"""A bound on a whole network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bcr.errors import ConfigError
from bcr.target import Target

KINDS = ("rate", "flops", "bytes", "latency")


@dataclass(frozen=True)
class Budget:
    """What a pruned network may cost; exactly one of the first four is given.

    Attributes:
        rate: weights by kept weights over all layers that can be pruned, at least 1.
        flops: floating-point operations of the linear and convolution layers in one call, two for
            each multiply-add, layers that stay dense included.
        bytes: of the weights as compiled code stores them, float32 values and indices, layers that
            stay dense included.
        latency: seconds of one call of the whole network on `target`.
        target: name or `bcr.Target` of the machine that is measured.
        num_threads: of a call.

    Raises:
        ConfigError: none or several are given, or a number is out of range.
    """

    rate: float | None = None
    flops: float | None = None
    bytes: float | None = None
    latency: float | None = None
    target: str | Target = "host"
    num_threads: int = 1

    def __post_init__(self) -> None:
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ConfigError(
                f"a budget bounds one of {', '.join(KINDS)}, got {' and '.join(given) or 'none'}"
            )
        low = 1.0 if given[0] == "rate" else 0.0
        value = getattr(self, given[0])
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < low or value == 0:
            above = "at least 1" if given[0] == "rate" else "above 0"
            raise ConfigError(f"Budget: {given[0]} is a finite number {above}, got {value!r}")

    @property
    def kind(self) -> str:
        """Which of `KINDS` it bounds."""
        return next(name for name in KINDS if getattr(self, name) is not None)
