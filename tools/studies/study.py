"""What a study is: data, networks, the points of its curves, and how long everything trains."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from bcr.datasets import Dataset
from studies.points import Point

VERSION = 2
"""Of the data and of what is done with a plan: results of another one are made anew."""


@dataclass(frozen=True)
class Plan:
    """How a network is trained; all points of a network have the same one.

    Attributes:
        dense: epochs of the dense training that all points of one seed start from.
        pruning: epochs with the method of pruning at work.
        retraining: epochs after it, zeros held.
        batch: examples of a step.
        optimizer: "sgd" (momentum 0.9) or "adam".
        rate: greatest learning rate of the dense training.
        retraining_rate: learning rate while pruning, and the greatest of the retraining.
        method: of `bcr.PruneConfig`.
        updates: how many times in all the method looks at the weights anew.
        options: of the method, besides its interval.
        ranking: what competes for a place, as `bcr.PruneConfig` has it.
        shift: examples are moved by up to so many pixels or frames.
        decay: of the weights.
        smoothing: of the labels.
        masked: widest band of features and longest run of frames that are blanked in an example.
        distillation: part of the loss that comes from the scores of the dense network that pruning
            starts from.
        bf16: whether convolutions and products are calculated in bfloat16 while training.
    """

    dense: int
    pruning: int
    retraining: int
    batch: int
    optimizer: str
    rate: float
    retraining_rate: float
    method: str = "admm"
    updates: int = 24
    options: Mapping[str, Any] | None = None
    ranking: str = "block"
    shift: int = 2
    decay: float = 5e-4
    smoothing: float = 0.0
    masked: tuple[int, int] = (0, 0)
    distillation: float = 0.0
    bf16: bool = False


@dataclass(frozen=True)
class Network:
    """A network of a study.

    Attributes:
        name: in tables and files.
        make: builds it with new weights from torch's random generator.
        matrices: the modules of a built network that are pruned, by name; everything else stays
            dense. They share their parameters with the network.
        points: what is done to it.
        plan: how it is trained.
        shape: of one example, without the batch.
    """

    name: str
    make: Callable[[], nn.Module]
    matrices: Callable[[nn.Module], nn.ModuleDict]
    points: tuple[Point, ...]
    plan: Plan
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        name: of its command.
        title: above its tables.
        unit: what one call of a compiled network takes.
        networks: see `Network`.
        load: makes the data of a seed, a whole set or a small one to try the study with.
        prepare: turns inputs as the data set has them into what is kept in memory.
        feed: turns a part of that into the float32 input of the networks.
    """

    name: str
    title: str
    unit: str
    networks: tuple[Network, ...]
    load: Callable[[int, bool], Dataset]
    prepare: Callable[[Dataset], tuple[np.ndarray, np.ndarray]]
    feed: Callable[[Tensor], Tensor]

    def network(self, name: str) -> Network:
        """Return the network of that name."""
        return next(n for n in self.networks if n.name == name)


@dataclass(frozen=True)
class Job:
    """One training: everything its result depends on.

    Attributes:
        study, network: names.
        seed: of the data's split where it has one, of weights and of the order of examples.
        point: how to prune; None for the dense training that the others start from.
        plan: of the network.
        quick: train on the small data set.
    """

    study: str
    network: str
    seed: int
    point: Point | None
    plan: Plan
    quick: bool = False

    def key(self) -> str:
        """Return a name for the files and the entry of this job."""
        text = json.dumps({"version": VERSION, **_settings(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def start(self) -> Job:
        """The dense training that this one starts from."""
        # How pruning goes on later is nothing to the dense training: it is kept when that changes.
        plan = replace(self.plan, pruning=0, retraining=0, updates=0, options=None, method="")
        plan = replace(plan, ranking="block", distillation=0.0)
        return replace(self, point=None, plan=replace(plan, retraining_rate=0.0))


def _settings(value: Any) -> dict[str, Any]:
    """The fields that are not as they are by default: a new field leaves old keys as they are."""
    return {
        field.name: _settings(entry) if is_dataclass(entry) else entry
        for field in fields(value)
        if (entry := getattr(value, field.name)) != field.default
    }


def short(plan: Plan) -> Plan:
    """Return a plan that takes seconds, to try the study with."""
    return replace(plan, dense=2, pruning=1, retraining=1, batch=min(plan.batch, 32), updates=4)
