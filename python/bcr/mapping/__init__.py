"""Which layer is pruned how: scheme, block and rate of each layer for a bound on the whole network.

This package is the only one that knows both sides: `bcr.pruning` makes zeros and knows no compiler,
the compiler sees zeros and knows no pruning. Here the time of each layer is measured in compiled
code (`MeasuredLatency`), the harm of pruning it is estimated (`sensitivity=`), and the two are put
together: `choose_blocks` chooses blocks at one rate, `allocate` spreads a budget over the layers,
`map_by_rules` chooses the schemes by rules first, `search` by trials. All of them end in a
`bcr.PruneConfig`, which `save_recipe` writes as YAML.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bcr.lazy import lazy_names

if TYPE_CHECKING:
    from bcr.mapping.accuracy import accuracy_on
    from bcr.mapping.allocation import Allocation, allocate
    from bcr.mapping.block_search import choose_blocks
    from bcr.mapping.blocks import smallest_block
    from bcr.mapping.budget import Budget
    from bcr.mapping.choice import DENSE, Choice, Form
    from bcr.mapping.latency import LatencySource, Measurement, NetworkTime
    from bcr.mapping.measured import MeasuredLatency
    from bcr.mapping.network import LayerSpec, Network, NetworkLayer, describe
    from bcr.mapping.optuna_search import SearchResult, search
    from bcr.mapping.plot import plot_front
    from bcr.mapping.recipes import recipe, save_recipe
    from bcr.mapping.rules import map_by_rules
    from bcr.mapping.sensitivity import FisherLoss, LossIncrease, ProjectionError
    from bcr.mapping.table import LatencyTable

_LAZY = {
    "Allocation": "allocation",
    "Budget": "budget",
    "Choice": "choice",
    "DENSE": "choice",
    "FisherLoss": "sensitivity",
    "Form": "choice",
    "LatencySource": "latency",
    "LatencyTable": "table",
    "LayerSpec": "network",
    "LossIncrease": "sensitivity",
    "MeasuredLatency": "measured",
    "Measurement": "latency",
    "Network": "network",
    "NetworkTime": "latency",
    "NetworkLayer": "network",
    "ProjectionError": "sensitivity",
    "SearchResult": "optuna_search",
    "accuracy_on": "accuracy",
    "allocate": "allocation",
    "choose_blocks": "block_search",
    "describe": "network",
    "map_by_rules": "rules",
    "plot_front": "plot",
    "recipe": "recipes",
    "save_recipe": "recipes",
    "search": "optuna_search",
    "smallest_block": "blocks",
}

__all__ = [
    "DENSE",
    "Allocation",
    "Budget",
    "Choice",
    "FisherLoss",
    "Form",
    "LatencySource",
    "LatencyTable",
    "LayerSpec",
    "LossIncrease",
    "MeasuredLatency",
    "Measurement",
    "Network",
    "NetworkLayer",
    "NetworkTime",
    "ProjectionError",
    "SearchResult",
    "accuracy_on",
    "allocate",
    "choose_blocks",
    "describe",
    "map_by_rules",
    "plot_front",
    "recipe",
    "save_recipe",
    "search",
    "smallest_block",
]

__getattr__, __dir__ = lazy_names(globals(), _LAZY)
