"""Deterministic random weights under which a deep network neither explodes nor dies out.

Layer-sequential unit-variance initialisation (Mishkin and Matas, "All you need is a good init",
ICLR 2016): one forward pass, in which each layer is scaled by its own output.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd


def initialise(
    model: nn.Module, example: tuple[Tensor, ...], seed: int, random_statistics: bool
) -> None:
    """Give all parameters and statistics of a model values, in place.

    Factors are rounded to powers of two and offsets to sixteenths, so that the last bits of the
    forward pass, which depend on the machine, do not reach the weights.

    Args:
        model: in eval mode; its parameters may hold anything.
        example: arguments of a forward pass.
        seed: of the random values.
        random_statistics: see `bcr.models.get`.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            _draw(module, generator, random_statistics)
        hooks = [
            module.register_forward_hook(_scale if _is_layer(module) else _follow)
            for module in model.modules()
            if _is_layer(module) or (isinstance(module, _BatchNorm) and random_statistics)
        ]
        try:
            model(*example)
        finally:
            for hook in hooks:
                hook.remove()


def _is_layer(module: nn.Module) -> bool:
    return isinstance(module, (_ConvNd, nn.Linear))


def _draw(module: nn.Module, generator: torch.Generator, random_statistics: bool) -> None:
    norm = isinstance(module, (_BatchNorm, nn.LayerNorm, nn.GroupNorm))
    for name, parameter in module.named_parameters(recurse=False):
        if norm and not random_statistics:
            parameter.fill_(1.0 if name == "weight" else 0.0)
        elif norm and name == "weight":
            parameter.uniform_(0.7, 1.3, generator=generator)
        elif parameter.dim() < 2:
            parameter.uniform_(-0.2, 0.2, generator=generator)
        else:
            fan_in = parameter[0].numel()
            parameter.normal_(0, 1 / math.sqrt(fan_in), generator=generator)
    if isinstance(module, _BatchNorm) and module.running_mean is not None:
        assert module.running_var is not None
        assert module.num_batches_tracked is not None
        module.running_mean.zero_()
        module.running_var.fill_(1.0)
        module.num_batches_tracked.fill_(1)
        if random_statistics:
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.7, 1.4, generator=generator)


def _scale(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    """Scale a layer such that its output has a standard deviation near one."""
    factor = _power_of_two(output.std().item())
    for parameter in module.parameters(recurse=False):
        parameter.mul_(factor)
    return output * factor


def _follow(module: nn.Module, args: Any, output: Tensor) -> Tensor:
    """Move running statistics to the input's, channel by channel, and keep their random part."""
    assert isinstance(module, _BatchNorm)
    assert module.running_mean is not None
    assert module.running_var is not None
    channels = args[0].transpose(0, 1).flatten(1)
    module.running_mean.add_((16 * channels.mean(1)).round() / 16)
    if channels.shape[1] > 1:
        spread = channels.std(1).clamp(min=2**-6)
        module.running_var.mul_(torch.exp2((2 * spread.log2()).round()))
    result: Tensor = module.forward(args[0])
    return result


def _power_of_two(deviation: float) -> float:
    if not math.isfinite(deviation) or deviation < 1e-6:
        return 1.0
    return float(2.0 ** round(-math.log2(deviation)))
