"""The settings of each pruning method: one frozen dataclass a method, checked as it is built.

Nothing here needs torch. Steps are steps of the optimiser, as `Pruner.step` counts them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from bcr.errors import ConfigError
from bcr.pruning.suggest import listed
from bcr.pruning.validate import check_keys, check_rate

WHERE = "method_options"


@dataclass(frozen=True)
class MethodOptions:
    """Settings of a method that has none, and the base of all others."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON and YAML can hold."""
        return asdict(self)


@dataclass(frozen=True)
class GradualOptions(MethodOptions):
    """Settings of gradual pruning.

    Args:
        end_step: step at which the rate asked for is reached; the masks are fixed from there on.
        begin_step: step of the first pruning.
        interval: steps from one pruning to the next.
        initial_rate: rate of the first pruning.
    """

    end_step: int
    begin_step: int = 0
    interval: int = 100
    initial_rate: float = 1.0

    def __post_init__(self) -> None:
        _store(
            self,
            end_step=_count(self.end_step, "end_step", 1),
            begin_step=_count(self.begin_step, "begin_step", 0),
            interval=_count(self.interval, "interval", 1),
            initial_rate=check_rate(self.initial_rate, f"{WHERE}.initial_rate"),
        )
        _check_order(self.begin_step, self.end_step)


@dataclass(frozen=True)
class AdmmOptions(MethodOptions):
    """Settings of ADMM.

    Under plain SGD the penalty adds to the step that the loss asks for. Adam and its kin divide the
    sum of both gradients by its own size (Kingma & Ba, 2015, algorithm 1): where rho times the
    distance to the pruned weights exceeds the gradient of the loss, the step is the penalty's, and
    the loss has hardly a say. Keep `rho_max` at about 0.1 there, as it is by default: with 1.0 the
    loss of a small network rose six times as much before anything was pruned, and was higher after
    it too (`test_pruning_methods.py`); SGD does as well with either. If accuracy falls long before
    `finalize`, lower it; if only there, the weights are still far from the pruned ones: raise it,
    or take more updates.

    Args:
        rho: penalty factor at the start, in units of the loss.
        rho_growth: factor on rho at each update, at least 1.
        rho_max: rho grows no further than this.
        interval: steps between two updates of the auxiliary and dual variables.
        begin_step: steps of plain training before the penalty sets in.
    """

    rho: float = 1e-3
    rho_growth: float = 1.3
    rho_max: float = 0.1
    interval: int = 100
    begin_step: int = 0

    def __post_init__(self) -> None:
        _store(
            self,
            rho=_number(self.rho, "rho", above=0),
            rho_growth=_number(self.rho_growth, "rho_growth", least=1),
            rho_max=_number(self.rho_max, "rho_max", above=0),
            interval=_count(self.interval, "interval", 1),
            begin_step=_count(self.begin_step, "begin_step", 0),
        )
        if self.rho_max < self.rho:
            raise ConfigError(
                f"{WHERE}.rho_max is {self.rho_max:g}, below rho, {self.rho:g}: rho starts at rho "
                "and grows up to rho_max"
            )


@dataclass(frozen=True)
class ReweightedOptions(MethodOptions):
    """Settings of the reweighted group lasso.

    Args:
        strength: factor on the penalty, in units of the loss; in a group of average norm it acts
            as weight decay of twice this size.
        epsilon: keeps the penalty of groups near zero finite, as a fraction of the mean square of
            a layer's weights. ``learning rate * strength / epsilon`` should stay well below 1.
        interval: steps from one reweighting to the next.
        begin_step: steps of plain training before the penalty sets in.
        threshold: drop the groups whose root mean square is below this fraction of their layer's;
            None to prune to the rate.
    """

    strength: float = 1e-2
    epsilon: float = 1e-2
    interval: int = 100
    begin_step: int = 0
    threshold: float | None = None

    def __post_init__(self) -> None:
        _store(
            self,
            strength=_number(self.strength, "strength", above=0),
            epsilon=_number(self.epsilon, "epsilon", above=0),
            interval=_count(self.interval, "interval", 1),
            begin_step=_count(self.begin_step, "begin_step", 0),
        )
        if self.threshold is not None:
            _store(self, threshold=_number(self.threshold, "threshold", above=0, below=1))


@dataclass(frozen=True)
class ScratchOptions(MethodOptions):
    """Settings of pruning during training from scratch.

    Args:
        end_step: step at which the masks are fixed at the rate asked for; leave a part of the
            training behind it.
        begin_step: steps of plain training before the first mask is chosen.
        interval: steps from one choice of masks to the next.
        strength, epsilon: as in `ReweightedOptions`.
    """

    end_step: int
    begin_step: int = 0
    interval: int = 100
    strength: float = 1e-2
    epsilon: float = 1e-2

    def __post_init__(self) -> None:
        _store(
            self,
            end_step=_count(self.end_step, "end_step", 1),
            begin_step=_count(self.begin_step, "begin_step", 0),
            interval=_count(self.interval, "interval", 1),
            strength=_number(self.strength, "strength", above=0),
            epsilon=_number(self.epsilon, "epsilon", above=0),
        )
        _check_order(self.begin_step, self.end_step)


def method_options(
    method: str, kind: type[MethodOptions], given: Mapping[str, Any]
) -> MethodOptions:
    """Build the settings `kind` of the method `method` from plain values.

    Raises:
        ConfigError: a key is unknown or missing, or a value is impossible.
    """
    known = [f.name for f in fields(kind)]
    if not known and given:
        raise ConfigError(
            f"{WHERE} has {listed(sorted(map(str, given)))}, but the method {method!r} has no "
            "settings: remove them or choose another method"
        )
    check_keys(given, f"{WHERE} of the method {method!r}", known)
    missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in given]
    if missing:
        raise ConfigError(
            f"{WHERE} has no {listed(missing)}: the method {method!r} needs it, such as "
            f"{WHERE}={{{missing[0]!r}: 1000}}"
        )
    return kind(**given)


def _store(options: MethodOptions, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(options, name, value)


def _count(value: Any, key: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ConfigError(
            f"{WHERE}.{key} is {value!r}: it counts optimiser steps, a whole number of at "
            f"least {least}"
        )
    return int(value)


def _number(
    value: Any,
    key: str,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
) -> float:
    bounds = [("above", above), ("of at least", least), ("below", below)]
    bound = " and ".join(f"{word} {limit:g}" for word, limit in bounds if math.isfinite(limit))
    remedy = f"{WHERE}.{key} is {value!r}: it is a finite number {bound}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ConfigError(remedy)
    number = float(value)
    if not math.isfinite(number) or not (above < number < below) or number < least:
        raise ConfigError(remedy)
    return number


def _check_order(begin: int, end: int) -> None:
    if begin >= end:
        raise ConfigError(
            f"{WHERE}.begin_step is {begin}, not before end_step, {end}: pruning needs steps in "
            "between"
        )
