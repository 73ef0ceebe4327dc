"""Pruning a copy of a model for a moment."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from bcr.mapping.choice import Choice
from bcr.mapping.network import weight_names
from bcr.pruning import PruneConfig, Pruner, PruneReport


def config_of(
    choices: Mapping[str, Choice],
    names: Mapping[str, Sequence[str]],
    rate: float = 1.0,
    method: str = "oneshot",
) -> PruneConfig:
    """Return the configuration that prunes the named layers so, and no others.

    Args:
        choices: by qualified name.
        names: all names of modules that share the weights of a layer, which must agree.
        rate: for the record: every layer has its own.
        method: of the configuration.
    """
    overrides = {
        name: choice.override for first, choice in choices.items() for name in names[first]
    }
    return PruneConfig(rate=rate, method=method, oversize="clip", modules={"": None, **overrides})


class OneShot:
    """A copy of a model that can be pruned one way after the other; the model stays as it is."""

    def __init__(self, model: nn.Module) -> None:
        self.model = copy.deepcopy(model).eval()
        """The copy, in eval mode."""
        self._names = weight_names(self.model)

    @contextmanager
    def pruned(self, choices: Mapping[str, Choice]) -> Iterator[PruneReport]:
        """Prune the copy by magnitude; at the end all that it holds is as before.

        Yields:
            what `Pruner.finalize` reports.
        """
        before = (
            {name: value.detach().clone() for name, value in self.model.state_dict().items()}
            if len(choices) > 1
            else self._weights(choices)
        )
        config = config_of(choices, {name: self._names[name] for name in choices})
        pruner = Pruner(self.model, config)
        try:
            yield pruner.finalize()
        finally:
            pruner.release()
            now = self.model.state_dict()
            with torch.no_grad():
                for name, value in before.items():
                    now[name].copy_(value)

    def _weights(self, choices: Mapping[str, Choice]) -> dict[str, torch.Tensor]:
        """Return copies of the tensors of the named modules alone: of a large model, little."""
        state = self.model.state_dict()
        prefixes = tuple(f"{name}." if name else "" for name in choices)
        # The weights of a recurrent module are layers by themselves.
        mine = [n for n in state if n.startswith(prefixes) or n in choices]
        return {n: state[n].detach().clone() for n in mine}
