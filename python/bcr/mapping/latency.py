"""Where the mapping takes times from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import nn

    from bcr.mapping.choice import Choice
    from bcr.mapping.network import LayerSpec


@dataclass(frozen=True)
class Measurement:
    """What one layer costs in one form.

    Attributes:
        seconds: of a call of the layer.
        bytes: of its packed weights, indices included.
        spread: how far the middle half of the times lies apart, relative to `seconds`.
        runs: how often it ran; 0 where the numbers are interpolated.
    """

    seconds: float
    bytes: int
    spread: float = 0.0
    runs: int = 0


@dataclass(frozen=True)
class NetworkTime:
    """The time of one call of a whole network.

    Attributes:
        seconds: of the call, with what Python takes around it.
        layers: seconds of each layer in it, by qualified name; layers that have no kernel of their
            own are missing.
    """

    seconds: float
    layers: Mapping[str, float] = field(default_factory=dict)


class LatencySource(Protocol):
    """Says how long layers take on a target.

    `MeasuredLatency` measures compiled code. Anything with these three methods can take its place:
    a formula, a simulator, a board at the end of a network.
    """

    def prepare(self, specs: Sequence[LayerSpec], choices: Sequence[Sequence[Choice]]) -> None:
        """Be told what will be asked for, so that it can be measured in one go.

        Args:
            specs: layers, each once.
            choices: for each of them.
        """

    def layer(self, spec: LayerSpec, choice: Choice) -> Measurement | None:
        """Return what a layer costs; None: unknown, so the choice is not open to the layer.

        `choice.rows` is set for schemes that leave it to the weights.
        """

    def network(self, model: nn.Module, inputs: Sequence[Any]) -> NetworkTime:
        """Return the time of one call of a whole network with the zeros that it has."""
