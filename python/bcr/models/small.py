"""Small networks: a perceptron, a 1-D convolutional net for sound, a squeeze-and-excite net."""

from __future__ import annotations

import itertools

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers with ReLU between them.

    Args:
        classes: outputs.
        width: size of the hidden layers.
        depth: number of hidden layers.
        features: inputs.
    """

    def __init__(
        self, classes: int = 10, width: int = 256, depth: int = 2, features: int = 64
    ) -> None:
        super().__init__()
        sizes = [features] + [width] * depth
        layers: list[nn.Module] = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, features] to scores [N, classes]."""
        scores: Tensor = self.layers(x.flatten(1))
        return scores


class Conv1dNet(nn.Module):
    """Strided 1-D convolutions, for samples of sound.

    Args:
        classes: outputs.
        width: channels of the first layer; the later ones have two and four times as many.
    """

    def __init__(self, classes: int = 10, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for out, kernel, stride in ((width, 9, 4), (2 * width, 5, 2), (4 * width, 3, 2)):
            layers += [
                nn.Conv1d(channels, out, kernel, stride, kernel // 2, bias=False),
                nn.BatchNorm1d(out),
                nn.ReLU(),
            ]
            channels = out
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map samples [N, 1, T] to scores [N, classes]."""
        scores: Tensor = self.head(self.pool(self.features(x)).flatten(1))
        return scores


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from all channels' means (Hu et al., 2018)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C, H, W]."""
        y: Tensor = x * self.gate(self.expand(self.relu(self.reduce(self.pool(x)))))
        return y


class SqueezeExciteNet(nn.Module):
    """Depthwise and 1x1 convolutions with squeeze-and-excite and hardswish between them.

    Args:
        classes: outputs.
        width: channels of the first layer; each of the two later stages doubles them.
    """

    def __init__(self, classes: int = 10, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.Hardswish(),
        ]
        channels = width
        for _ in range(2):
            layers += [
                nn.Conv2d(channels, channels, 5, 2, 2, groups=channels, bias=False),
                nn.BatchNorm2d(channels),
                nn.Hardswish(),
                SqueezeExcite(channels, channels // 4),
                nn.Conv2d(channels, 2 * channels, 1, bias=False),
                nn.BatchNorm2d(2 * channels),
                nn.SiLU(),
            ]
            channels *= 2
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, H, W] to scores [N, classes]."""
        scores: Tensor = self.head(self.pool(self.features(x)).flatten(1))
        return scores
