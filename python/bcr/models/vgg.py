"""VGG-16 (Simonyan and Zisserman, 2014), configuration D, without batch norm as in the paper."""

from __future__ import annotations

from torch import Tensor, nn

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class VGG16(nn.Module):
    """Thirteen 3x3 convolutions and three linear layers.

    Args:
        classes: outputs.
        width: factor on the channels of every convolution.
        small: for 32x32 images: one linear layer of 512 instead of two of 4096.
    """

    def __init__(self, classes: int = 1000, width: float = 1.0, small: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage, depth in _STAGES:
            for _ in range(depth):
                out = max(1, round(stage * width))
                layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
                channels = out
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        if small:
            hidden = max(1, round(512 * width))
            self.classifier = nn.Sequential(
                nn.Linear(channels, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes)
            )
        else:
            hidden = max(1, round(4096 * width))
            self.classifier = nn.Sequential(
                nn.Linear(channels * 7 * 7, hidden),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(hidden, hidden),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(hidden, classes),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map images [N, 3, 224, 224], or [N, 3, 32, 32] if small, to scores [N, classes]."""
        scores: Tensor = self.classifier(self.features(x).flatten(1))
        return scores
