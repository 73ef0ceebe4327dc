"""ResNet-18 and -50 (He et al., 2015), with the stride in the 3x3 convolution."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


def _conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out)
    )


class _Block(nn.Module, ABC):
    """A residual block: `relu(body(x) + shortcut(x))`."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        out = width * self.expansion
        self.body = self.make_body(channels, width, stride)
        changes = stride != 1 or channels != out
        self.shortcut = _conv(channels, out, 1, stride) if changes else nn.Identity()
        self.relu = nn.ReLU()

    @abstractmethod
    def make_body(self, channels: int, width: int, stride: int) -> nn.Sequential:
        """Return the layers beside the shortcut."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, width * expansion, H / stride, W / stride]."""
        y: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return y


class BasicBlock(_Block):
    """Two 3x3 convolutions."""

    def make_body(self, channels: int, width: int, stride: int) -> nn.Sequential:
        """Return the layers beside the shortcut."""
        return nn.Sequential(_conv(channels, width, 3, stride), nn.ReLU(), _conv(width, width, 3))


class Bottleneck(_Block):
    """A 1x1, a 3x3 and a 1x1 convolution; the last one has four times the channels."""

    expansion = 4

    def make_body(self, channels: int, width: int, stride: int) -> nn.Sequential:
        """Return the layers beside the shortcut."""
        return nn.Sequential(
            _conv(channels, width, 1),
            nn.ReLU(),
            _conv(width, width, 3, stride),
            nn.ReLU(),
            _conv(width, width * self.expansion, 1),
        )


class ResNet(nn.Module):
    """Four stages of residual blocks.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: blocks of each stage.
        classes: outputs.
        width: factor on all channels.
        small: for 32x32 images: a 3x3 convolution of stride 1 first, and no pooling after it.
    """

    def __init__(
        self,
        block: type[_Block],
        depths: tuple[int, ...],
        classes: int = 1000,
        width: float = 1.0,
        small: bool = False,
    ) -> None:
        super().__init__()
        channels = max(1, round(64 * width))
        if small:
            self.stem = nn.Sequential(_conv(3, channels, 3), nn.ReLU())
        else:
            self.stem = nn.Sequential(
                _conv(3, channels, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)
            )
        stages = []
        stage_width = channels
        for number, depth in enumerate(depths):
            blocks = []
            for i in range(depth):
                stride = 2 if number > 0 and i == 0 else 1
                blocks.append(block(channels, stage_width, stride))
                channels = stage_width * block.expansion
            stages.append(nn.Sequential(*blocks))
            stage_width *= 2
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, H, W] to scores [N, classes]."""
        scores: Tensor = self.head(self.pool(self.stages(self.stem(x))).flatten(1))
        return scores
