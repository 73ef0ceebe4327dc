"""Checks of single configuration values. Nothing is coerced before it has been checked.

Each function takes the value and the path of the key it came from (such as
``modules['features.0'].rate``), returns the value in its stored form and raises `ConfigError`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from bcr.errors import ConfigError
from bcr.pruning.suggest import did_you_mean, listed

Block = tuple[int, int] | Literal["matrix"]


def check_rate(value: Any, where: str) -> float:
    """A rate is a finite number of at least 1: 8 keeps one weight in eight."""
    remedy = "a rate is a finite number of at least 1 (8 keeps one weight in eight)"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigError(f"{where} is {value!r}, a {type(value).__name__}: {remedy}")
    rate = float(value)
    if not math.isfinite(rate) or rate < 1:
        hint = f"; to keep the fraction {rate:g} write {1 / rate:g}" if 0 < rate < 1 else ""
        raise ConfigError(f"{where} is {value!r}: {remedy}{hint}")
    return rate


def check_block(value: Any, where: str) -> Block:
    """A block is ``"matrix"`` or a pair of positive whole numbers (rows, columns)."""
    if value == "matrix":
        return "matrix"
    return check_pair(value, where, '(rows, columns), or "matrix"')


def check_pair(value: Any, where: str, parts: str) -> tuple[int, int]:
    """Two positive whole numbers; `parts` says in a message what they are."""
    remedy = f"a block is a pair of positive whole numbers {parts}"
    if isinstance(value, str):
        raise ConfigError(f"{where} is {value!r}: {remedy}")
    if not isinstance(value, Sequence) or len(value) != 2:
        raise ConfigError(f"{where} is {value!r}: {remedy}")
    for extent in value:
        if isinstance(extent, bool) or not isinstance(extent, numbers.Integral) or extent < 1:
            raise ConfigError(f"{where} is {value!r}: {remedy}; {extent!r} is not one")
    return int(value[0]), int(value[1])


def check_optional_rate(value: Any, where: str) -> float | None:
    """A rate, or None where it follows from other settings."""
    return None if value is None else check_rate(value, where)


def check_count(value: Any, where: str, least: int, most: int) -> int:
    """A whole number in a range, both ends included."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise ConfigError(f"{where} is {value!r}: choose a whole number from {least} to {most}")
    return int(value)


def check_choice(value: Any, where: str, choices: Iterable[str]) -> str:
    """One of a fixed set of words."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        raise ConfigError(f"{where} is {value!r}: choose one of {listed(known)}.{hint}")
    return value


def check_keys(given: Any, where: str, known: Iterable[str]) -> Mapping[str, Any]:
    """A mapping all of whose keys are strings out of `known`."""
    names = list(known)
    for key in check_mapping(given, where):
        if key not in names:
            hint = did_you_mean(key, names)
            raise ConfigError(
                f"{where} has no setting {key!r}.{hint} The settings are {listed(names)}"
            )
    mapping: Mapping[str, Any] = given
    return mapping


def check_mapping(given: Any, where: str) -> Mapping[str, Any]:
    """A mapping whose keys are strings."""
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"{where} is {given!r}, a {type(given).__name__}: write a mapping of names to settings"
        )
    for key in given:
        if not isinstance(key, str):
            raise ConfigError(
                f"{where} has the key {key!r}, a {type(key).__name__}: names are strings, "
                f"write {str(key)!r} in quotes"
            )
    return given
