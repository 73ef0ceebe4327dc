"""Examples as training sees them: moved, and with parts blanked."""

from __future__ import annotations

import torch
from torch import Tensor

from bcr.audio import BANDS
from studies.study import Plan


def vary(x: Tensor, plan: Plan) -> Tensor:
    """Return the examples of a step, changed by chance as the plan says.

    Args:
        x: images [N, C, H, W], or sounds [N, T, F] of F / 40 frames in each of T steps.
        plan: how far to move (`shift`), and how much of a sound to blank (`masked`).
    """
    if plan.shift:
        # Images have height and width last, sounds have frames first.
        axes = (2, 3) if x.dim() == 4 else (1,)
        moves = torch.randint(-plan.shift, plan.shift + 1, (len(axes),)).tolist()
        x = torch.roll(x, moves, axes)
    bands, frames = plan.masked
    if bands or frames:
        count, steps, features = x.shape
        x = x.view(count, steps, features // BANDS, BANDS)
        x = (
            x
            * _kept(count, BANDS, bands)[:, None, None]
            * _kept(count, steps, frames)[..., None, None]
        )
        x = x.flatten(2)
    return x


def _kept(count: int, size: int, widest: int) -> Tensor:
    """Return float32 [count, size]: ones, in each row a run of up to `widest` zeros.

    Source: Park et al., "SpecAugment", 2019, section 2; zero is the mean of the features.
    """
    width = torch.randint(0, widest + 1, (count, 1))
    start = (torch.rand(count, 1) * (size - width + 1)).long()
    place = torch.arange(size)
    return 1 - ((place >= start) & (place < start + width)).float()
