"""Networks to compile, prune and measure, defined here so that nothing must be downloaded.

`get` builds one by name with deterministic random weights; `inputs` makes arguments for it. The
sizes are those of the papers; `width` and `classes` make smaller ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bcr.errors import ConfigError
from bcr.models.initialise import initialise
from bcr.models.mobilenet import MobileNetV2
from bcr.models.resnet import BasicBlock, Bottleneck, ResNet
from bcr.models.small import MLP, Conv1dNet, SqueezeExciteNet
from bcr.models.transformer import TransformerBlocks
from bcr.models.unet import UNet
from bcr.models.vgg import VGG16

__all__ = ["get", "inputs", "names"]


@dataclass(frozen=True)
class _Entry:
    make: Callable[..., nn.Module]
    shape: Callable[..., tuple[int, ...]]
    """From the options to the shape of one input without the batch dimension."""


def _image(side: int) -> Callable[..., tuple[int, ...]]:
    return lambda **_: (3, side, side)


_ENTRIES: dict[str, _Entry] = {
    "vgg16": _Entry(VGG16, _image(224)),
    "vgg16_cifar": _Entry(lambda **o: VGG16(**{"classes": 10, "small": True, **o}), _image(32)),
    "resnet18": _Entry(lambda **o: ResNet(BasicBlock, (2, 2, 2, 2), **o), _image(224)),
    "resnet18_cifar": _Entry(
        lambda **o: ResNet(BasicBlock, (2, 2, 2, 2), **{"classes": 10, "small": True, **o}),
        _image(32),
    ),
    "resnet50": _Entry(lambda **o: ResNet(Bottleneck, (3, 4, 6, 3), **o), _image(224)),
    "resnet50_cifar": _Entry(
        lambda **o: ResNet(Bottleneck, (3, 4, 6, 3), **{"classes": 10, "small": True, **o}),
        _image(32),
    ),
    "mobilenet_v2": _Entry(MobileNetV2, _image(224)),
    "mobilenet_v2_cifar": _Entry(
        lambda **o: MobileNetV2(**{"classes": 10, "small": True, **o}), _image(32)
    ),
    "transformer": _Entry(TransformerBlocks, lambda width=64, **_: (19, width)),
    "mlp": _Entry(MLP, lambda features=64, **_: (features,)),
    "conv1d": _Entry(Conv1dNet, lambda **_: (1, 400)),
    "unet": _Entry(UNet, lambda **_: (3, 64, 48)),
    "squeeze_excite": _Entry(SqueezeExciteNet, _image(32)),
}


def names() -> tuple[str, ...]:
    """Return the names that `get` knows."""
    return tuple(_ENTRIES)


def get(name: str, *, seed: int = 0, random_statistics: bool = True, **options: Any) -> nn.Module:
    """Build a network in eval mode.

    Weights are random and scaled layer by layer, so that activations keep a standard deviation
    near one through the whole depth, and equal for equal arguments.

    Args:
        name: one of `names()`.
        seed: of the random weights.
        random_statistics: give batch norm weights and running statistics that differ from channel
            to channel; if false, they are those of a new layer.
        options: the constructor's, such as `classes` and `width`.

    Raises:
        ConfigError: there is no network of that name or it has no such option.
    """
    entry = _entry(name)
    try:
        # Weights without memory or values: torch's own initialisation would be thrown away.
        with torch.device("meta"):
            model = entry.make(**options)
    except TypeError as error:
        raise ConfigError(f"{name}: {error}") from None
    model = model.to_empty(device="cpu").eval()
    initialise(model, inputs(name, seed=seed, **options), seed, random_statistics)
    return model


def inputs(name: str, batch: int = 1, *, seed: int = 0, **options: Any) -> tuple[Tensor, ...]:
    """Return arguments for a network: normally distributed float32, [batch, ...].

    Args:
        name: one of `names()`.
        batch: size of the first dimension.
        seed: of the random values.
        options: those that `get` was given.

    Raises:
        ConfigError: there is no network of that name.
    """
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn((batch, *_entry(name).shape(**options)), generator=generator),)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise ConfigError(f"there is no network {name!r}; there are {', '.join(_ENTRIES)}")
    return _ENTRIES[name]
