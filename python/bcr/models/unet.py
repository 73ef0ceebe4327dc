"""U-Net (Ronneberger et al., 2015) with padded convolutions and batch norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _double(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Down by pooling, up by transposed convolutions, with a shortcut at every size.

    Args:
        classes: output channels.
        width: channels at full size; each smaller size doubles them.
        depth: number of smaller sizes; height and width must be multiples of 2**depth.
    """

    def __init__(self, classes: int = 5, width: int = 16, depth: int = 3) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(depth + 1)]
        self.down = nn.ModuleList(
            _double(a, b) for a, b in zip([3, *widths[:-2]], widths[:-1], strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.middle = _double(widths[-2], widths[-1])
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1])
        )
        self.up = nn.ModuleList(_double(2 * w, w) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, H, W] to scores of every pixel [N, classes, H, W]."""
        shortcuts = []
        for down in self.down:
            x = down(x)
            shortcuts.append(x)
            x = self.pool(x)
        x = self.middle(x)
        for grow, up in zip(self.grow, self.up):
            x = up(torch.cat([shortcuts.pop(), grow(x)], 1))
        scores: Tensor = self.head(x)
        return scores
