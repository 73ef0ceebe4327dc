"""The layers of a network as the mapping sees them: shapes, weights, how often they are called."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bcr.errors import ConfigError
from bcr.pruning.config import PruneConfig
from bcr.pruning.discover import survey
from bcr.pruning.layer import PRUNABLE, shown
from bcr.pruning.recurrent import RecurrentWeight, expand, kinds, weights_of
from bcr.pruning.sharing import raw_weight, users_of

_CELLS: dict[str, Callable[[int, int], nn.Module]] = {"GRU": nn.GRU, "LSTM": nn.LSTM, "RNN": nn.RNN}
_FEATURES = 4
"""Inputs of a recurrent layer whose state weights are measured: few, so that they cost little."""
_CONVOLUTIONS: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


@dataclass(frozen=True)
class LayerSpec:
    """All that the time of a layer depends on, besides its zeros. Layers that are equal here share
    their measurements, also across networks.

    Attributes:
        weight: shape of the weight tensor, PyTorch's order.
        batch: samples of a call; of a linear layer: all positions of its input, which are all
            steps for the input weights of a recurrent layer.
        image: spatial extents of the input; empty for a linear layer.
        stride, padding, dilation: of a convolution, one number per spatial dimension; padding may
            be a word, as PyTorch takes it.
        groups: of a convolution.
        cell: "GRU", "LSTM" or "RNN" for the state weights of one; then `weight` is their shape.
        steps: of its sequence.
    """

    weight: tuple[int, ...]
    batch: int
    image: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] | str = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    cell: str = ""
    steps: int = 0

    @classmethod
    def of(cls, module: nn.Module, shape: Sequence[int]) -> LayerSpec:
        """Describe a Linear or a convolution that is called with an input of a shape."""
        weight = tuple(module.weight.shape)  # type: ignore[union-attr, arg-type]
        if isinstance(module, nn.Linear):
            return cls(weight, math.prod(shape[:-1]))
        assert isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d))
        spatial = len(weight) - 2
        # An input without the batch dimension is one sample.
        batch = shape[0] if len(shape) == spatial + 2 else 1
        padding = module.padding
        return cls(
            weight,
            batch,
            tuple(shape[-spatial:]),
            tuple(module.stride),
            padding if isinstance(padding, str) else tuple(padding),
            tuple(module.dilation),
            module.groups,
        )

    def __str__(self) -> str:
        """Return the key of its measurements in a file."""

        def times(extents: Iterable[int]) -> str:
            return "x".join(map(str, extents))

        if self.cell:
            sizes = f"{self.weight[1]} to {self.weight[0]}"
            return f"{self.cell} steps {self.steps} batch {self.batch} state {sizes}"
        if not self.image:
            return f"linear {times((self.batch, self.weight[1]))} to {self.weight[0]}"
        channels = self.weight[1] * self.groups
        padding = self.padding if isinstance(self.padding, str) else times(self.padding)
        return (
            f"conv {times((self.batch, channels, *self.image))} to {self.weight[0]} "
            f"kernel {times(self.weight[2:])} stride {times(self.stride)} padding {padding} "
            f"dilation {times(self.dilation)} groups {self.groups}"
        )

    @property
    def matrix(self) -> tuple[int, int]:
        """(M, K) of the weight matrix."""
        return self.weight[0], math.prod(self.weight[1:])

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input of a call."""
        if self.cell:
            return self.steps, self.batch, _FEATURES
        if not self.image:
            return self.batch, self.weight[1]
        return (self.batch, self.weight[1] * self.groups, *self.image)

    @property
    def weight_name(self) -> str:
        """Name of the measured weights in what `make` returns."""
        return "weight_hh_l0" if self.cell else "weight"

    def make(self) -> nn.Module:
        """Return a layer of this shape with normally distributed weights, the same each time."""
        module: nn.Module
        with torch.device("meta"):
            if self.cell:
                module = _CELLS[self.cell](_FEATURES, self.weight[1])
            elif not self.image:
                module = nn.Linear(self.weight[1], self.weight[0])
            else:
                module = _CONVOLUTIONS[len(self.image)](
                    self.weight[1] * self.groups,
                    self.weight[0],
                    self.weight[2:],
                    stride=self.stride,
                    padding=self.padding,
                    dilation=self.dilation,
                    groups=self.groups,
                )
        module.to_empty(device="cpu")
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.normal_(0, 1 / math.sqrt(self.matrix[1]), generator=generator)
        return module.eval()


@dataclass(frozen=True)
class NetworkLayer:
    """A layer that can be pruned.

    Attributes:
        name: qualified name, the first one if its weights have several.
        type: class name.
        specs: one entry for each call of it in one call of the network.
        macs: multiply-adds of these calls, dense.
        names: qualified names of all modules that have its weights, `name` among them.
    """

    name: str
    type: str
    specs: tuple[LayerSpec, ...]
    macs: int
    names: tuple[str, ...] = ()

    @property
    def matrix(self) -> tuple[int, int]:
        """(M, K) of the weight matrix."""
        return self.specs[0].matrix

    @property
    def weights(self) -> int:
        """Number of weights."""
        return math.prod(self.matrix)


@dataclass(frozen=True)
class Network:
    """The layers of a network that can be pruned, and what the other layers cost.

    Attributes:
        layers: in the model's order.
        fixed_weights: weights of the modules that stay dense (two dimensions and more).
        fixed_macs: multiply-adds of the linear and convolution layers that stay dense.
    """

    layers: tuple[NetworkLayer, ...]
    fixed_weights: int
    fixed_macs: int

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """By name of a layer, those of all modules that share its weights."""
        return {layer.name: layer.names for layer in self.layers}


def describe(model: nn.Module, inputs: Sequence[Any], exclude: Iterable[str] = ()) -> Network:
    """Run a model once and note the shapes of its layers.

    Args:
        model: not changed.
        inputs: arguments of its `forward`.
        exclude: qualified names of layers, or of containers of layers, that stay dense. Depthwise
            convolutions stay dense by themselves.

    Raises:
        ConfigError: a name is not in the model, or no layer can be pruned.
    """
    model = copy.deepcopy(model).eval()
    found = survey(model, PruneConfig(rate=2, block="matrix", modules=dict.fromkeys(exclude, None)))
    calls: dict[int, list[LayerSpec]] = {}
    macs: dict[int, int] = {}
    names = weight_names(model)

    def count(weight: nn.Parameter | None, spec: LayerSpec, multiplications: int) -> None:
        calls.setdefault(id(weight), []).append(spec)
        macs[id(weight)] = macs.get(id(weight), 0) + multiplications

    def note(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        value = args[0] if args else kwargs["input"]
        if isinstance(module, nn.RNNBase):
            for weight, spec in _recurrent(module, value):
                count(weight, spec, spec.batch * max(spec.steps, 1) * math.prod(spec.weight))
        elif not isinstance(module, nn.RNNCellBase):
            spec = LayerSpec.of(module, value.shape)
            count(raw_weight(module), spec, output.numel() * spec.matrix[1])

    for module in model.modules():
        if isinstance(module, PRUNABLE):
            module.register_forward_hook(note, with_kwargs=True)
    with torch.no_grad():
        model(*inputs)
    layers = []
    others: dict[int, int] = {}
    for layer in found.layers:
        key = id(layer.parameter)
        if _is_unmeasured(layer.module):
            others[key] = layer.parameter.numel()
            continue
        if key not in calls:
            raise ConfigError(
                f"{shown(layer.name)} is not called with these inputs: its time is unknown; leave "
                f"it dense with exclude=[{layer.name!r}]"
            )
        kind = kinds(layer.module)[0]
        layers.append(
            NetworkLayer(layer.name, kind, tuple(calls[key]), macs[key], names[layer.name])
        )
    if not layers:
        raise ConfigError(
            "the model has no layer to prune: linear and convolution layers that are not depthwise "
            "and not named in exclude="
        )
    fixed = {id(p): p.numel() for skipped in found.skipped for p in skipped.weights} | others
    pruned = {id(layer.parameter) for layer in found.layers} - others.keys()
    return Network(
        tuple(layers),
        sum(size for key, size in fixed.items() if key not in pruned),
        sum(count for key, count in macs.items() if key not in pruned),
    )


def _recurrent(module: nn.RNNBase, value: Any) -> list[tuple[nn.Parameter | None, LayerSpec]]:
    """Return the weights of a recurrent module and what is done with them for an input."""
    if not isinstance(value, torch.Tensor):
        raise ConfigError(
            f"a {type(module).__name__} is called with a {type(value).__name__}: its time depends "
            "on the lengths; describe the model with a padded tensor, or leave it dense (exclude=)"
        )
    shape = value.shape if value.dim() == 3 else (value.shape[0], 1, value.shape[1])
    steps, batch = (shape[1], shape[0]) if module.batch_first and value.dim() == 3 else shape[:2]
    found: list[tuple[nn.Parameter | None, LayerSpec]] = []
    for name, view in weights_of(module).items():
        weight = raw_weight(view)
        assert weight is not None
        size = tuple(weight.shape)
        if name.startswith("weight_ih"):
            found.append((weight, LayerSpec(size, steps * batch)))
        elif name.startswith("weight_hh"):
            cell = type(module).__name__
            found.append((weight, LayerSpec(size, batch, cell=cell, steps=steps)))
    return found


def _is_unmeasured(module: nn.Module) -> bool:
    """Whether a layer can be pruned but there is no way to time it alone: single cells, whose calls
    are the model's own loop, and layers with projections."""
    if not isinstance(module, RecurrentWeight):
        return False
    owner = module.owner
    return type(owner) not in _CELLS.values() or bool(getattr(owner, "proj_size", 0))


def weight_names(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """Return, for each linear or convolution layer, the names of all that share its weights."""
    modules = expand(dict(model.named_modules(remove_duplicate=False)))
    users = users_of(modules)
    names: dict[str, tuple[str, ...]] = {}
    for name, module in modules.items():
        weight = raw_weight(module)
        if isinstance(module, PRUNABLE) and weight is not None:
            names[name] = tuple(n for n in users[id(weight)] if isinstance(modules[n], PRUNABLE))
    return names
