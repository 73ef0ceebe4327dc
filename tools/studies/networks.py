"""The networks of the studies: small enough that hundreds of them are trained on two cores."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def _conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    )


class Depthwise(nn.Conv2d):
    """A convolution of each channel alone, in float32 under autocast: it has few products, and its
    gradient in bfloat16 takes twice as long on x86-64.

    Args:
        channels: of input and output.
        stride: of its 3x3 windows.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(channels, channels, 3, stride, 1, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C, H / stride, W / stride]."""
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class SmallCNN(nn.Module):
    """Four 3x3 convolutions with batch norm, three of them of stride 2, then a linear layer.

    Args:
        classes: outputs.
        width: channels of the first convolution; the last has eight times as many.
    """

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.stem = _conv(1, width, 3, 2)
        self.body = nn.Sequential(
            _conv(width, 2 * width, 3, 2), nn.ReLU(),
            _conv(2 * width, 4 * width, 3), nn.ReLU(),
            _conv(4 * width, 8 * width, 3, 2), nn.ReLU(),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 1, 32, 32] to scores [N, classes]."""
        return self.head(self.pool(self.body(torch.relu(self.stem(x)))).flatten(1))


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., 2016)."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = _conv(channels, out, 3, stride)
        self.second = _conv(out, out, 3)
        same = stride == 1 and channels == out
        self.shortcut = nn.Identity() if same else _conv(channels, out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, out, H / stride, W / stride]."""
        y = self.second(torch.relu(self.first(x)))
        return torch.relu(self.shortcut(x) + y)


class SmallResNet(nn.Module):
    """A stem and three residual blocks, all of stride 2.

    Args:
        classes: outputs.
        width: channels of the stem; the blocks have two, four and eight times as many.
    """

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.stem = _conv(1, width, 3, 2)
        self.blocks = nn.Sequential(
            Residual(width, 2 * width, 2),
            Residual(2 * width, 4 * width, 2),
            Residual(4 * width, 8 * width, 2),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 1, 32, 32] to scores [N, classes]."""
        return self.head(self.pool(self.blocks(torch.relu(self.stem(x)))).flatten(1))


class Inverted(nn.Module):
    """Widen by 1x1, filter each channel by 3x3, narrow by 1x1 (Sandler et al., 2018)."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.widen = _conv(channels, hidden, 1)
        self.depthwise = nn.Sequential(Depthwise(hidden, stride), nn.BatchNorm2d(hidden))
        self.narrow = _conv(hidden, out, 1)
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, out, H / stride, W / stride]."""
        y = torch.relu(self.depthwise(torch.relu(self.widen(x))))
        y = self.narrow(y)
        return x + y if self.residual else y


class SmallMobileNet(nn.Module):
    """Two convolutions of stride 2, three inverted residuals, and a wide 1x1 convolution.

    Args:
        classes: outputs.
        width: channels of the stem; the blocks have four times as many.
    """

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.stem = _conv(1, width, 3, 2)
        self.down = _conv(width, 2 * width, 3, 2)
        self.blocks = nn.Sequential(
            Inverted(2 * width, 4 * width, 2, 4),
            Inverted(4 * width, 4 * width, 1, 4),
            Inverted(4 * width, 4 * width, 1, 4),
        )
        self.last = _conv(4 * width, 16 * width, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(16 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 1, 32, 32] to scores [N, classes]."""
        x = torch.relu(self.down(torch.relu(self.stem(x))))
        x = torch.relu(self.last(self.blocks(x)))
        return self.head(self.pool(x).flatten(1))


class WordGRU(nn.Module):
    """Two GRU layers over the frames of a word, and a linear layer on their mean output.

    Args:
        classes: outputs.
        features: of one frame.
        width: units of each layer.
    """

    def __init__(self, classes: int, features: int, width: int = 128) -> None:
        super().__init__()
        self.gru = nn.GRU(features, width, num_layers=2, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map frames [N, T, features] to scores [N, classes]."""
        return self.head(self.gru(x)[0].mean(1))
