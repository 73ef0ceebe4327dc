"""How many threads compiled models use: one number for the process."""

from __future__ import annotations

import os

from bcr.errors import ConfigError

VARIABLE = "BCR_NUM_THREADS"
"""The environment variable that sets the number a process starts with."""

_count: int | None = None


def set_num_threads(count: int) -> None:
    """Set the number of threads that `bcr.compile` compiles for where it is not told one.

    Models that are compiled already keep theirs: the work is dealt out when a model is compiled.

    Raises:
        ConfigError: `count` is no number from 1 to 1024.
    """
    global _count
    _count = check_num_threads(count)


def get_num_threads() -> int:
    """Return what `set_num_threads` was given, else BCR_NUM_THREADS, else 1.

    Raises:
        ConfigError: BCR_NUM_THREADS is no number from 1 to 1024.
    """
    if _count is not None:
        return _count
    text = os.environ.get(VARIABLE, "1")
    if not text.isdecimal():
        raise ConfigError(f"{VARIABLE} must be a positive number, got {text!r}")
    return check_num_threads(int(text))


def check_num_threads(count: int) -> int:
    """Return `count`.

    Raises:
        ConfigError: it is no number from 1 to 1024.
    """
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 1024:
        raise ConfigError(f"num_threads must be a positive number up to 1024, got {count!r}")
    return count
