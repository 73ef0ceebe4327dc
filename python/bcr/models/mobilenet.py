"""MobileNet-V2 (Sandler et al., 2018)."""

from __future__ import annotations

from torch import Tensor, nn

# Expansion factor, channels, repetitions, stride of the first; table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _conv(
    channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(),
    ]


class InvertedResidual(nn.Module):
    """Widen by 1x1, filter each channel by 3x3, narrow by 1x1 without an activation."""

    def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        widen = _conv(channels, hidden, 1) if expansion != 1 else []
        self.body = nn.Sequential(
            *widen, *_conv(hidden, hidden, 3, stride, hidden), *_conv(hidden, out, 1)[:-1]
        )
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, out, H / stride, W / stride]."""
        y: Tensor = self.body(x)
        return x + y if self.residual else y


class MobileNetV2(nn.Module):
    """Inverted residuals between two plain convolutions.

    Args:
        classes: outputs.
        width: factor on all channels, rounded to multiples of eight as in the paper.
        small: for 32x32 images: stride 1 in the first convolution and the first two stages.
    """

    def __init__(self, classes: int = 1000, width: float = 1.0, small: bool = False) -> None:
        super().__init__()
        channels = _round_to_8(32 * width)
        layers = _conv(3, channels, 3, 1 if small else 2)
        for number, (expansion, out, depth, stride) in enumerate(_STAGES):
            out = _round_to_8(out * width)
            for i in range(depth):
                step = stride if i == 0 and not (small and number < 2) else 1
                layers.append(InvertedResidual(channels, out, step, expansion))
                channels = out
        last = _round_to_8(1280 * max(1.0, width))
        self.features = nn.Sequential(*layers, *_conv(channels, last, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, H, W] to scores [N, classes]."""
        scores: Tensor = self.classifier(self.pool(self.features(x)).flatten(1))
        return scores


def _round_to_8(channels: float) -> int:
    return max(8, int(channels + 4) // 8 * 8)
