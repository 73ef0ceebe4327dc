"""Pictures of masks: a pixel for each weight, or for a square of weights of a large layer."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bcr.errors import ConfigError
from bcr.pruning.layer import outer_mask, weight_parameter
from bcr.pruning.validate import check_block

_KEPT = (31, 78, 121)
_DROPPED = (238, 240, 242)
_GRID = (214, 120, 40)
_LARGEST = 1600  # pixels a side
_SMALLEST = 400


def mask_picture(
    layer: nn.Module | torch.Tensor,
    path: str | Path,
    *,
    block: tuple[int, int] | str | None = None,
) -> None:
    """Write a PNG file that shows which weights of W[M, K] are zero.

    Kept weights are dark, zeros light. One row of pixels is one output; a layer larger than 1600
    is shrunk, a pixel then as dark as its square of weights is dense.

    Args:
        layer: a module with a weight, plain or masked by `torch.nn.utils.prune`; or a weight or a
            mask of two or more dimensions, [M, ...].
        path: of the file to write.
        block: rows and columns of the blocks, to draw their grid where there is room for it.

    Raises:
        ConfigError: the layer has no weight, Pillow is not installed or the file is not writable.
    """
    nonzero = _nonzero(layer)
    grid = None if block is None else check_block(block, "block")
    data = mask_png(nonzero, None if grid == "matrix" else grid)
    try:
        Path(path).write_bytes(data)
    except OSError as error:
        raise ConfigError(f"the picture cannot be written: {error}") from error


def mask_png(nonzero: torch.Tensor, block: tuple[int, int] | str | None = None) -> bytes:
    """Return the picture of bool [M, K] as the bytes of a PNG file."""
    image_module = _pillow()
    m, k = nonzero.shape
    shrink = -(-max(m, k) // _LARGEST)
    density = nonzero.detach().cpu()[None, None].float()
    density = torch.nn.functional.avg_pool2d(density, shrink, ceil_mode=True)[0, 0]
    colours = torch.tensor([_DROPPED, _KEPT], dtype=torch.float32)
    pixels = colours[0] + density[..., None] * (colours[1] - colours[0])
    grow = max(1, _SMALLEST // max(m, k))
    pixels = pixels.repeat_interleave(grow, 0).repeat_interleave(grow, 1)
    if shrink == 1 and grow >= 3 and isinstance(block, tuple):
        grid = torch.tensor(_GRID, dtype=torch.float32)
        pixels[block[0] * grow :: block[0] * grow] = grid
        pixels[:, block[1] * grow :: block[1] * grow] = grid
    image = image_module.fromarray(pixels.round().to(torch.uint8).numpy(), "RGB")
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _nonzero(layer: nn.Module | torch.Tensor) -> torch.Tensor:
    if isinstance(layer, nn.Module):
        weight = weight_parameter(layer, "").detach()
        mask = outer_mask(layer)
        weight = weight if mask is None else weight * mask
    else:
        weight = layer.detach()
    if weight.dim() < 2 or weight.numel() == 0:
        raise ConfigError(
            f"a weight of shape {list(weight.shape)} has no picture: pass a matrix [M, K] or the "
            "weight of a convolution"
        )
    return weight.flatten(1) != 0


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(
            "pictures need Pillow, which is not installed: pip install 'bcr[pictures]'"
        ) from error
    return Image
