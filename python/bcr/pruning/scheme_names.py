"""The names of the pruning schemes, without torch: configurations are checked without it."""

from __future__ import annotations

import re
from typing import Any

from bcr.errors import ConfigError
from bcr.pruning.suggest import did_you_mean, listed

COLUMN_ROW = ("both", "columns", "rows")
BLOCKED = (*COLUMN_ROW, "bsp")  # the schemes that cut W[M, K] by `block`
SCHEMES = (*BLOCKED, "block-punched", "pattern", "filter", "channel", "unstructured")
_N_OF_M = re.compile(r"([1-9]\d{0,3}):([1-9]\d{0,3})")


def n_of_m(scheme: str) -> tuple[int, int] | None:
    """Return (N, M) of an N:M scheme such as "2:4", None for every other scheme."""
    found = _N_OF_M.fullmatch(scheme)
    return (int(found[1]), int(found[2])) if found else None


def check_scheme(value: Any, where: str, also: tuple[str, ...] = ()) -> str:
    """One of `SCHEMES`, an N:M scheme with N < M, or one of the words of `also`."""
    if isinstance(value, str):
        counts = n_of_m(value)
        if value in SCHEMES or value in also or (counts and counts[0] < counts[1]):
            return value
        if counts:
            raise ConfigError(
                f"{where} is {value!r}: N:M keeps N weights of M, so N is below M; write '2:4'"
            )
    known = (*SCHEMES, *also)
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    raise ConfigError(
        f"{where} is {value!r}: choose one of {listed(known)} or an N:M scheme such as '2:4'.{hint}"
    )
