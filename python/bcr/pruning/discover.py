"""Finds the layers of a model that a configuration prunes, and why the others stay dense."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from torch import nn
from torch.nn.parameter import is_lazy

from bcr.errors import ConfigError
from bcr.pruning.config import LayerConfig, PruneConfig
from bcr.pruning.layer import PRUNABLE, Layer, shown, weight_parameter
from bcr.pruning.scheme_names import BLOCKED
from bcr.pruning.suggest import did_you_mean

_PRUNABLE_NAMES = tuple(kind.__name__ for kind in PRUNABLE)


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
        ConfigError: a name or a type in `config` is not in the model or cannot be pruned, a block
            does not fit its layer, or modules that share weights ask for different things. The
            message lists every offending layer.
    """
    names = dict(model.named_modules(remove_duplicate=False))
    _check_types(config, names)
    _check_modules(config, names)

    found = Survey()
    too_small: list[str] = []
    done: set[int] = set()
    users = _users(names)
    for name, module in names.items():
        if id(module) in done:
            continue
        done.add(id(module))
        if not isinstance(module, PRUNABLE):
            other = Skipped(name, module, f"{type(module).__name__} is no type that bcr prunes")
            if other.weights:
                found.skipped.append(other)
            continue
        shared = users.get(id(_raw_weight(module)), [name])
        owners = [n for n in shared if isinstance(names[n], PRUNABLE)]
        settings = _agreed(config, names, owners)
        reason = _reason_for_dense(name, module, settings, config, names, shared)
        if settings is None or reason:
            found.skipped.append(Skipped(name, module, reason))
            continue
        if owners[0] != name:
            continue
        layer = _fitted(name, module, settings, shared, too_small)
        if layer is None:
            reason = f"smaller than its block {_times(settings.block)} (oversize='dense')"
            found.skipped.append(Skipped(name, module, reason))
        else:
            found.layers.append(layer)
    if too_small:
        raise ConfigError(
            "a block is larger than its layer: "
            + "; ".join(too_small)
            + ". Give these layers a smaller block in modules={name: {'block': ...}}, leave them "
            "dense with modules={name: None}, or set oversize='clip' (cut the block to the layer) "
            "or oversize='dense' (leave such layers dense)"
        )
    return found


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
    asked = {
        name: config.resolve(name, [kind.__name__ for kind in type(names[name]).__mro__])
        for name in shared
    }
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
) -> str:
    """Why a prunable layer stays dense; empty if it does not."""
    if settings is None:
        return "left dense by the configuration"
    weight = weight_parameter(module, name)
    if weight.numel() == 0:
        return "has no weights"
    if any(config.modules.get(n) is not None for n in shared):
        return ""
    others = [n for n in shared if not isinstance(names[n], PRUNABLE)]
    if others:
        return f"shares its weights with {others[0]!r}: name this layer in modules= to prune both"
    groups = getattr(module, "groups", 1)
    if groups > 1 and groups == getattr(module, "in_channels", None):
        return "depthwise: name it in modules= to prune it"
    return ""


def _fitted(
    name: str, module: nn.Module, settings: LayerConfig, shared: list[str], too_small: list[str]
) -> Layer | None:
    """The layer with its block fitted, None to leave it dense; adds to `too_small`."""
    weight = weight_parameter(module, name)
    shape = (weight.shape[0], weight[0].numel())
    notes = [f"shared with {n!r}" for n in shared if n != name]
    if not weight.requires_grad:
        notes.append("frozen")
    block = settings.block
    if settings.scheme not in BLOCKED:
        block = "matrix"
    if block != "matrix" and (block[0] > shape[0] or block[1] > shape[1]):
        if settings.oversize == "dense":
            return None
        if settings.oversize == "error":
            too_small.append(f"{shown(name)} is {_times(shape)}, its block {_times(block)}")
        clipped = (min(block[0], shape[0]), min(block[1], shape[1]))
        notes.append(f"block clipped from {_times(block)}")
        settings = dataclasses.replace(settings, block=clipped)
    return Layer(name, module, settings, ", ".join(notes))


def _times(extents: tuple[int, int] | str) -> str:
    return extents if isinstance(extents, str) else f"{extents[0]}x{extents[1]}"


def _raw_weight(module: nn.Module) -> nn.Parameter | None:
    return module._parameters.get("weight", module._parameters.get("weight_orig"))


def _users(names: dict[str, nn.Module]) -> dict[int, list[str]]:
    """Names of the modules that hold each parameter directly, by the parameter's identity."""
    users: dict[int, list[str]] = {}
    for name, module in names.items():
        for parameter in module._parameters.values():
            if parameter is not None:
                users.setdefault(id(parameter), []).append(name)
    return users
