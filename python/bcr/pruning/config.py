"""What to prune and how hard: one immutable, fully checked value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from bcr.errors import ConfigError
from bcr.pruning.methods.options import MethodOptions, method_options
from bcr.pruning.registry import METHODS
from bcr.pruning.validate import (
    Block,
    check_block,
    check_choice,
    check_keys,
    check_mapping,
    check_rate,
)

Scheme = Literal["both", "columns", "rows"]
Oversize = Literal["error", "clip", "dense"]
Override = Mapping[str, Any] | None

SCHEMES: tuple[Scheme, ...] = ("both", "columns", "rows")
OVERSIZE: tuple[Oversize, ...] = ("error", "clip", "dense")


@dataclass(frozen=True)
class LayerConfig:
    """The settings of one layer after all overrides; the fields are those of `PruneConfig`."""

    rate: float
    block: Block
    scheme: Scheme
    oversize: Oversize


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
        scheme: what is pruned inside a block: whole ``"columns"``, whole ``"rows"`` or
            ``"both"``, which tries several splits between rows and columns, the plain column one
            among them, and takes for each layer the one that loses the least energy.
        oversize: what happens to a layer that is smaller than its block: an ``"error"``, the
            block is ``"clip"``-ped to the layer, or the layer is left ``"dense"``.
        module_types: overrides by class name, such as ``{"Linear": {"rate": 4}}``. A class also
            stands for its subclasses; the most derived class that is named wins.
        modules: overrides by qualified name, such as ``{"features.0": None}``. The name of a
            container stands for everything in it; inner names win over outer ones.

    An override holds any of the settings rate, block, scheme and oversize; ``None`` leaves the
    layers dense. Overrides apply one over the other: whole model, then type, then name.

    Raises:
        ConfigError: a value is impossible; the message names the key and what is allowed.
    """

    rate: float
    block: Block = (8, 64)
    method: str = "oneshot"
    scheme: Scheme = "both"
    oversize: Oversize = "error"
    module_types: Mapping[str, Override] = field(default_factory=dict)
    modules: Mapping[str, Override] = field(default_factory=dict)
    method_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked: dict[str, Any] = _checked_settings(
            {name: getattr(self, name) for name in _LAYER_SETTINGS}, ""
        )
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
            if settings is not None and isinstance(settings.get("block"), tuple):
                settings["block"] = list(settings["block"])
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
        dense = False
        for override in chain:
            dense = override is None
            settings.update(override or {})
        return None if dense else LayerConfig(**settings)


def _containers(name: str) -> list[str]:
    """Names of the modules that hold `name`, outermost first, then `name` itself."""
    parts = name.split(".") if name else []
    return [".".join(parts[:i]) for i in range(len(parts) + 1)]


def _checked_settings(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    checks: dict[str, Callable[[Any, str], Any]] = {
        "rate": check_rate,
        "block": check_block,
        "scheme": lambda value, where: check_choice(value, where, SCHEMES),
        "oversize": lambda value, where: check_choice(value, where, OVERSIZE),
    }
    return {key: checks[key](value, f"{prefix}{key}") for key, value in values.items()}


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
