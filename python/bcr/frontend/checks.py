"""Checks on a model before anything is compiled: its mode, its modules and its weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase
from torch.nn.modules.dropout import _DropoutNd

from bcr.errors import UnsupportedError
from bcr.frontend.locations import describe

_BLOCK = 1 << 20
"""Elements tested at once: the temporary array of truth values stays at 1 MiB."""


def check_eval_mode(model: nn.Module) -> None:
    """Refuse a model whose dropout or normalisation layers would behave as in training.

    Raises:
        UnsupportedError: some such layer is in training mode; the message names all of them.
    """
    live = []
    for name, module in model.named_modules():
        if module.training and _depends_on_mode(module):
            live.append(f"{name or '<the model itself>'} ({type(module).__name__})")
    if live:
        raise UnsupportedError(
            f"the model is in training mode: {', '.join(live)} would use random or batch "
            f"dependent values; call model.eval() before compiling"
        )


def check_not_quantised(model: nn.Module) -> None:
    """Refuse modules that hold integers in place of weights.

    Raises:
        UnsupportedError: there are some; the message names all of them.
    """
    packages = ("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.")
    found = [
        f"{name or '<the model itself>'} ({type(module).__name__})"
        for name, module in model.named_modules()
        if type(module).__module__.startswith(packages) and not name.endswith("_packed_params")
    ]
    if found:
        raise UnsupportedError(
            f"the model is quantised: {', '.join(found)}; compile the model as it was before, "
            f"since layers run in f32"
        )


def _depends_on_mode(module: nn.Module) -> bool:
    if isinstance(module, _DropoutNd):
        return bool(module.p > 0)
    if isinstance(module, nn.RReLU):
        return bool(module.lower != module.upper)
    if isinstance(module, nn.MultiheadAttention):
        return bool(module.dropout > 0)
    if isinstance(module, nn.RNNBase):
        return bool(module.dropout > 0 and module.num_layers > 1)
    if isinstance(module, _BatchNorm):
        return True
    return isinstance(module, _NormBase) and bool(module.track_running_stats)


def check_finite(name: str, array: npt.NDArray[np.generic], tensor: torch.Tensor) -> None:
    """Refuse NaN in any weight, and infinities in parameters and in running statistics.

    Other buffers may hold infinities: attention masks do.

    Args:
        name: the qualified name, for the message.
        array: the values as `ImportedModel.weights` holds them.
        tensor: where the values come from.

    Raises:
        UnsupportedError: a value is not allowed; the message says where the first one is.
    """
    if not tensor.is_floating_point():
        return
    strict = isinstance(tensor, nn.Parameter) or name.rpartition(".")[2].startswith("running_")
    flat = array.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        if tensor.dtype == torch.bfloat16:
            # The upper half of a float32; NumPy has no bfloat16.
            block = (block.astype(np.uint32) << 16).view(np.float32)
        if np.isfinite(block).all():
            continue
        bad = ~np.isfinite(block) if strict else np.isnan(block)
        if bad.any():
            at = int(np.argmax(bad))
            index = tuple(int(i) for i in np.unravel_index(start + at, array.shape))
            raise UnsupportedError(
                f"the weight {name} contains {block[at]} at {index}; a network with such weights "
                f"computes nothing useful: check how it was trained or loaded"
            )


def check_without_effects(graph: torch.fx.Graph) -> None:
    """Refuse calls that do something besides computing results.

    Raises:
        UnsupportedError: the graph has such calls, as `torch.linalg.inv` makes when it looks
            whether the matrix was singular.
    """
    found = [
        f"  {node.args[1]} {describe(node)}"
        for node in graph.nodes
        if node.target is torch.ops.higher_order.with_effects
    ]
    if found:
        raise UnsupportedError(
            "the model makes calls that do more than compute a result, such as checking it, "
            "printing or changing something outside; they cannot be compiled. The first of them:\n"
            + "\n".join(found[:3])
        )


def check_not_empty(graph: torch.fx.Graph) -> None:
    """Refuse tensors without elements, on which torch-mlir ends the process.

    Raises:
        UnsupportedError: a fixed dimension of an input or of a result inside the model is 0.
    """
    empty = []
    for node in graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and any(
            isinstance(size, int) and size == 0 for size in value.shape
        ):
            where = node.name if node.op == "placeholder" else describe(node)
            empty.append(f"  {where}: shape {tuple(value.shape)}")
    if empty:
        raise UnsupportedError(
            "tensors without elements cannot be compiled; give example inputs whose dimensions are "
            "at least 1. The first of them:\n" + "\n".join(empty[:3])
        )
