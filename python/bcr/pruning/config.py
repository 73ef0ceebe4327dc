"""What to prune and how hard: one immutable, fully checked value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from bcr.errors import ConfigError
from bcr.pruning.methods.options import MethodOptions, method_options
from bcr.pruning.registry import METHODS
from bcr.pruning.scheme_names import check_scheme, n_of_m
from bcr.pruning.validate import (
    Block,
    check_block,
    check_choice,
    check_count,
    check_keys,
    check_mapping,
    check_optional_rate,
    check_pair,
    check_rate,
)

Oversize = Literal["error", "clip", "dense"]
Ranking = Literal["block", "layer", "network"]
Override = Mapping[str, Any] | None

OVERSIZE: tuple[Oversize, ...] = ("error", "clip", "dense")
RANKINGS: tuple[Ranking, ...] = ("block", "layer", "network")


@dataclass(frozen=True)
class LayerConfig:
    """The settings of one layer after all overrides; the fields are those of `PruneConfig`."""

    rate: float
    block: Block
    scheme: str = "both"
    oversize: Oversize = "error"
    ranking: Ranking = "block"
    fallback: str = "error"
    kernel_block: tuple[int, int] = (8, 4)
    patterns: int = 8
    column_rate: float | None = None
    row_rate: float | None = None

    def with_fallback(self) -> LayerConfig:
        """Return the settings of a layer that `scheme` does not apply to."""
        rate = _rate_of(self.fallback, self.rate)
        return replace(self, scheme=self.fallback, rate=rate)


_LAYER_SETTINGS = tuple(f.name for f in fields(LayerConfig))


@dataclass(frozen=True)
class PruneConfig:
    """How a `Pruner` prunes a model.

    Args:
        rate: weights divided by kept weights, at least 1; 8 keeps one weight in eight.
        block: rows and columns of a block of the weight matrix W[M, K], or ``"matrix"`` for one
            block that is the whole matrix.
        method: name of the pruning method; ``"oneshot"`` prunes by magnitude in `finalize`.
        method_options: settings of the method, such as ``{"interval": 50}``; which there are, is
            said by the classes in `bcr.pruning.methods.options`. Settings left out have their
            defaults.
        scheme: what is pruned. Of every block whole ``"columns"``, whole ``"rows"`` or
            ``"both"``, which tries several splits between rows and columns, the plain column one
            among them, and takes for each layer the one that loses the least energy. ``"bsp"``:
            columns of every block, then rows of the whole matrix. ``"block-punched"``: positions
            of the kernels of `kernel_block`. ``"pattern"``: 3x3 kernels keep 4 of 9 weights in
            one of `patterns` patterns, and whole kernels go to reach the rate. N:M such as
            ``"2:4"``: N of M neighbouring input channels; its rate is M/N. ``"filter"``,
            ``"channel"``: whole rows, whole input channels of W. ``"unstructured"``.
        oversize: what happens to a layer that is smaller than its block: an ``"error"``, the
            block is ``"clip"``-ped to the layer, or the layer is left ``"dense"``.
        ranking: what competes for a place: each ``"block"`` keeps the same share, or the
            columns and rows of the whole ``"layer"`` or ``"network"`` are ranked by their mean
            square; then the layers of the network share one budget, the sum of theirs.
        fallback: what happens to a layer that `scheme` does not apply to, such as a pattern on
            a 1x1 convolution: an ``"error"``, ``"dense"``, or another scheme.
        kernel_block: filters and channels of a block of scheme ``"block-punched"``.
        patterns: number of patterns that scheme ``"pattern"`` chooses from the weights of a
            layer, 1 to 56.
        column_rate, row_rate: the rates of the two steps of scheme ``"bsp"``; their product is
            `rate`. One of them follows from the other; by default columns go up to 16x.
        module_types: overrides by class name, such as ``{"Linear": {"rate": 4}}``. A class also
            stands for its subclasses; the most derived class that is named wins.
        modules: overrides by qualified name, such as ``{"features.0": None}``. The name of a
            container stands for everything in it; inner names win over outer ones.

    An override holds any of the settings but method, module_types and modules; ``None`` leaves
    the layers dense. Overrides apply one over the other: whole model, then type, then name.

    Raises:
        ConfigError: a value is impossible; the message names the key and what is allowed.
    """

    rate: float
    block: Block = (8, 64)
    method: str = "oneshot"
    scheme: str = "both"
    oversize: Oversize = "error"
    ranking: Ranking = "block"
    fallback: str = "error"
    kernel_block: tuple[int, int] = (8, 4)
    patterns: int = 8
    column_rate: float | None = None
    row_rate: float | None = None
    module_types: Mapping[str, Override] = field(default_factory=dict)
    modules: Mapping[str, Override] = field(default_factory=dict)
    method_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked: dict[str, Any] = _checked_settings(
            {name: getattr(self, name) for name in _LAYER_SETTINGS}, ""
        )
        _check_together(checked, "")
        checked["method"] = check_choice(self.method, "method", METHODS)
        given = check_mapping(self.method_options, "method_options")
        options = method_options(self.method, METHODS[self.method].options, given)
        checked["method_options"] = options.to_dict()
        checked["module_types"] = _checked_overrides(self.module_types, "module_types")
        checked["modules"] = _checked_overrides(self.modules, "modules")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def options(self) -> MethodOptions:
        """`method_options` in the form that the method takes."""
        return METHODS[self.method].options(**self.method_options)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PruneConfig:
        """Build a configuration from plain values; the inverse of `to_dict`."""
        check_keys(values, "the pruning configuration", [f.name for f in fields(cls)])
        if "rate" not in values:
            raise ConfigError("the pruning configuration has no rate: add one, such as rate: 8")
        return cls(**values)

    @classmethod
    def from_yaml(cls, source: str | Path) -> PruneConfig:
        """Build a configuration from YAML.

        Args:
            source: a `Path`, or a string on one line that ends in ``.yaml`` or ``.yml``, names a
                file; any other string is the YAML text itself.
        """
        from bcr.pruning.yaml_source import load_yaml

        return cls.from_dict(load_yaml(source))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON and YAML can hold."""
        values = asdict(self)
        for settings in (values, *values["module_types"].values(), *values["modules"].values()):
            for key, value in (settings or {}).items():
                if isinstance(value, tuple):
                    settings[key] = list(value)
        return values

    def resolve(self, name: str, types: Sequence[str]) -> LayerConfig | None:
        """Return the settings of one layer, or None to leave it dense.

        Args:
            name: qualified name of the module.
            types: names of its classes, the most derived first.
        """
        chain = [self.module_types[t] for t in types if t in self.module_types][:1]
        chain += [self.modules[n] for n in _containers(name) if n in self.modules]
        settings = {key: getattr(self, key) for key in _LAYER_SETTINGS}
        dense = implied = False
        for override in chain:
            dense = override is None
            settings.update(override or {})
            implied = "rate" not in (override or {}) and ("scheme" in (override or {}) or implied)
        if dense:
            return None
        if implied:
            settings["rate"] = _rate_of(settings["scheme"], settings["rate"])
        _check_together(settings, f"module {name!r}: ")
        return LayerConfig(**settings)


def _containers(name: str) -> list[str]:
    """Names of the modules that hold `name`, outermost first, then `name` itself."""
    parts = name.split(".") if name else []
    return [".".join(parts[:i]) for i in range(len(parts) + 1)]


def _checked_settings(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    checks: dict[str, Callable[[Any, str], Any]] = {
        "rate": check_rate,
        "block": check_block,
        "scheme": check_scheme,
        "oversize": lambda value, where: check_choice(value, where, OVERSIZE),
        "ranking": lambda value, where: check_choice(value, where, RANKINGS),
        "fallback": lambda value, where: check_scheme(value, where, also=("error", "dense")),
        "kernel_block": lambda value, where: check_pair(value, where, "(filters, channels)"),
        "patterns": lambda value, where: check_count(value, where, 1, 56),
        "column_rate": check_optional_rate,
        "row_rate": check_optional_rate,
    }
    return {key: checks[key](value, f"{prefix}{key}") for key, value in values.items()}


def _rate_of(scheme: str, rate: float) -> float:
    """The rate that an N:M scheme implies where it is given without one, else `rate`."""
    counts = n_of_m(scheme)
    return counts[1] / counts[0] if counts else rate


def _check_together(settings: Mapping[str, Any], where: str) -> None:
    """Refuse settings that contradict each other."""
    rate, scheme = settings["rate"], settings["scheme"]
    only = _rate_of(scheme, rate)
    if not math.isclose(rate, only):
        raise ConfigError(
            f"{where}scheme {scheme!r} has the rate {only:g}, and rate is {rate:g}: set the one "
            "that goes with the other"
        )
    steps = [settings[key] for key in ("column_rate", "row_rate") if settings[key] is not None]
    product = math.prod(steps)
    if (
        scheme == "bsp"
        and steps
        and (product > rate * (1 + 1e-9) or (len(steps) == 2 and not math.isclose(product, rate)))
    ):
        raise ConfigError(
            f"{where}column_rate {settings['column_rate']} and row_rate {settings['row_rate']} "
            f"do not multiply to the rate {rate:g}: leave one of them out, it follows from the rate"
        )


def _checked_overrides(overrides: Any, where: str) -> dict[str, dict[str, Any] | None]:
    checked: dict[str, dict[str, Any] | None] = {}
    for name, override in check_mapping(overrides, where).items():
        path = f"{where}[{name!r}]"
        if override is None:
            checked[name] = None
            continue
        if isinstance(override, Mapping) and "method" in override:
            raise ConfigError(f"{path} sets method: one method prunes the whole model, set it once")
        checked[name] = _checked_settings(check_keys(override, path, _LAYER_SETTINGS), f"{path}.")
    return checked
