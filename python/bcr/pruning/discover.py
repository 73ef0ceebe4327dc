"""Finds the layers of a model that a configuration prunes, and why the others stay dense."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from torch import nn
from torch.nn.parameter import is_lazy

from bcr.errors import ConfigError
from bcr.pruning.config import LayerConfig, PruneConfig
from bcr.pruning.layer import PRUNABLE, Layer, shown, weight_parameter
from bcr.pruning.recurrent import expand, kinds
from bcr.pruning.scheme_names import BLOCKED
from bcr.pruning.schemes.registry import scheme_of
from bcr.pruning.sharing import memory_users, raw_weight, users_of
from bcr.pruning.suggest import did_you_mean, listed

_PRUNABLE_NAMES = (
    *("Linear", "Conv1d", "Conv2d", "Conv3d"),
    *("GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"),
)


@dataclass(frozen=True)
class Skipped:
    """A module with weights that stays dense, and the reason."""

    name: str
    module: nn.Module
    reason: str

    @property
    def weights(self) -> list[nn.Parameter]:
        """Its own parameters of two dimensions and more."""
        return [p for p in self.module.parameters(recurse=False) if not is_lazy(p) and p.dim() >= 2]


@dataclass
class Survey:
    """What `survey` found, both lists in the model's order."""

    layers: list[Layer] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def survey(model: nn.Module, config: PruneConfig) -> Survey:
    """Sort the modules of `model` into layers to prune and layers that stay dense.

    Weights that several modules share are one layer, under the first name; the others are in
    neither list.

    Raises:
        ConfigError: a name or a type in `config` is not in the model or cannot be pruned; a scheme,
            a block or a rate does not fit its layer; a weight is frozen or used by a module of
            another kind without an entry of its own; or modules that share weights ask for
            different things. The message lists every offending layer.
    """
    names = dict(model.named_modules(remove_duplicate=False))
    _check_types(config, names)
    _check_modules(config, names | expand(names))
    names = expand(names)

    found = Survey()
    wrong = _Wrong()
    done: set[int] = set()
    users = users_of(names)
    memory = memory_users(names)
    for name, module in names.items():
        if id(module) in done:
            continue
        done.add(id(module))
        if not isinstance(module, PRUNABLE):
            other = Skipped(name, module, f"{type(module).__name__} is no type that bcr prunes")
            if other.weights:
                found.skipped.append(other)
            continue
        shared = users.get(id(raw_weight(module)), [name])
        owners = [n for n in shared if isinstance(names[n], PRUNABLE)]
        settings = _agreed(config, names, owners)
        reason = _reason_for_dense(name, module, settings, config, names, shared, wrong)
        if settings is None or reason:
            found.skipped.append(Skipped(name, module, reason))
            continue
        if owners[0] != name:
            continue
        overlapping = memory.get(id(raw_weight(module)), [])
        if overlapping:
            wrong.shared.append(f"{shown(name)} shares its memory with {listed(overlapping)}")
        layer = _fitted(name, module, settings, shared, wrong)
        if isinstance(layer, Layer):
            found.layers.append(layer)
        else:
            found.skipped.append(Skipped(name, module, layer))
    wrong.check()
    return found


@dataclass
class _Wrong:
    """Layers that the configuration does not fit, to be told all at once."""

    frozen: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    too_small: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raise `ConfigError` if there is one."""
        remedy = (
            "An entry of its own in modules={name: {}} prunes such a layer all the same, "
            "modules={name: None} leaves it dense"
        )
        if self.frozen:
            raise ConfigError(
                f"these modules are frozen (requires_grad=False): {listed(self.frozen)}. No "
                f"training would make up for what pruning takes from them. {remedy}"
            )
        if self.shared:
            raise ConfigError(
                f"a weight to prune is used by other modules too: {'; '.join(self.shared)}. "
                f"Pruning it changes them. {remedy}; parameters that are views of one memory "
                "cannot be pruned before they are made one parameter or clones"
            )
        if self.empty:
            raise ConfigError(
                f"a rate leaves nothing of its layer: {'; '.join(self.empty)}. Give these layers "
                "a lower rate in modules={name: {'rate': ...}}, or leave them dense with "
                "modules={name: None}"
            )
        if self.refused:
            raise ConfigError(
                "a scheme does not apply to its layer: "
                + "; ".join(self.refused)
                + ". Give these layers another scheme in modules={name: {'scheme': ...}}, leave "
                "them dense with modules={name: None}, or name in fallback= the scheme that such "
                "layers take ('dense' leaves them dense)"
            )
        if self.too_small:
            raise ConfigError(
                "a block is larger than its layer: "
                + "; ".join(self.too_small)
                + ". Give these layers a smaller block in modules={name: {'block': ...}}, leave "
                "them dense with modules={name: None}, or set oversize='clip' (cut the block to "
                "the layer) or oversize='dense' (leave such layers dense)"
            )


def _check_types(config: PruneConfig, names: dict[str, nn.Module]) -> None:
    present = {kind.__name__: kind for module in names.values() for kind in type(module).__mro__}
    for name, override in config.module_types.items():
        kind = present.get(name)
        if kind is None and name not in _PRUNABLE_NAMES:
            hint = did_you_mean(name, {*_PRUNABLE_NAMES, *present})
            raise ConfigError(f"module_types: no module of the model is a {name!r}.{hint}")
        if kind is not None and override is not None and not issubclass(kind, PRUNABLE):
            raise ConfigError(
                f"module_types: {name!r} cannot be pruned; bcr prunes "
                f"{', '.join(_PRUNABLE_NAMES)} and their subclasses"
            )


def _check_modules(config: PruneConfig, names: dict[str, nn.Module]) -> None:
    for name, override in config.modules.items():
        if name not in names:
            hint = did_you_mean(name, names) or " model.named_modules() lists the names."
            raise ConfigError(f"modules: the model has no module {name!r}.{hint}")
        inner = names[name].modules()
        if override is not None and not any(isinstance(module, PRUNABLE) for module in inner):
            raise ConfigError(
                f"modules: {shown(name)} is a {type(names[name]).__name__} and cannot be pruned; "
                f"bcr prunes {', '.join(_PRUNABLE_NAMES)}. Remove the entry"
            )


def _agreed(
    config: PruneConfig, names: dict[str, nn.Module], shared: list[str]
) -> LayerConfig | None:
    """The settings of a weight under all its names, which must be the same."""
    asked = {name: config.resolve(name, kinds(names[name])) for name in shared}
    first, *others = asked
    for other in others:
        if asked[other] != asked[first]:
            raise ConfigError(
                f"modules {first!r} and {other!r} share one weight tensor but ask for different "
                f"settings ({asked[first]} and {asked[other]}): give both the same in modules="
            )
    return asked[first]


def _reason_for_dense(
    name: str,
    module: nn.Module,
    settings: LayerConfig | None,
    config: PruneConfig,
    names: dict[str, nn.Module],
    shared: list[str],
    wrong: _Wrong,
) -> str:
    """Why a prunable layer stays dense; empty if it does not. Adds to `wrong`."""
    if settings is None:
        return "left dense by the configuration"
    weight = weight_parameter(module, name)
    if weight.numel() == 0:
        return "has no weights"
    if any(config.modules.get(n) is not None for n in shared):
        return ""
    groups = getattr(module, "groups", 1)
    if groups > 1 and groups == getattr(module, "in_channels", None):
        return "depthwise: name it in modules= to prune it"
    others = [n for n in shared if not isinstance(names[n], PRUNABLE)]
    if others:
        kinds = listed(f"{n} ({type(names[n]).__name__})" for n in others)
        wrong.shared.append(f"{shown(name)} shares it with {kinds}")
    if not weight.requires_grad:
        wrong.frozen.append(name or "(the model itself)")
    return ""


def _fitted(
    name: str, module: nn.Module, settings: LayerConfig, shared: list[str], wrong: _Wrong
) -> Layer | str:
    """The layer with its scheme and block fitted, or why to leave it dense; adds to `wrong`."""
    weight = weight_parameter(module, name)
    shape = (weight.shape[0], weight[0].numel())
    notes = [f"shared with {n!r}" for n in shared if n != name]
    if not weight.requires_grad:
        notes.append("frozen")
    form = Layer(name, module, settings).form
    refusal = scheme_of(settings.scheme).refusal(form)
    if refusal and settings.fallback == "dense":
        return f"{refusal} (fallback='dense')"
    if refusal and (settings.fallback == "error" or scheme_of(settings.fallback).refusal(form)):
        wrong.refused.append(f"{shown(name)}: {refusal}")
        return refusal
    if refusal:
        notes.append(f"{settings.fallback} because {refusal}")
        settings = settings.with_fallback()
    if settings.rate > weight.numel():
        wrong.empty.append(
            f"{shown(name)} has {weight.numel()} weights, its rate is {settings.rate:g}"
        )
    block = settings.block
    if settings.scheme not in BLOCKED:
        block = "matrix"
    if block != "matrix" and (block[0] > shape[0] or block[1] > shape[1]):
        if settings.oversize == "dense":
            return f"smaller than its block {_times(block)} (oversize='dense')"
        if settings.oversize == "error":
            wrong.too_small.append(f"{shown(name)} is {_times(shape)}, its block {_times(block)}")
        clipped = (min(block[0], shape[0]), min(block[1], shape[1]))
        notes.append(f"block clipped from {_times(block)}")
        settings = dataclasses.replace(settings, block=clipped)
    return Layer(name, module, settings, ", ".join(notes))


def _times(extents: tuple[int, int] | str) -> str:
    return extents if isinstance(extents, str) else f"{extents[0]}x{extents[1]}"
