"""All options of all layers with what they cost and what harm they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from bcr.errors import ConfigError
from bcr.mapping.blocks import smallest_block
from bcr.mapping.budget import Budget
from bcr.mapping.choice import DENSE, Choice, Form
from bcr.mapping.knapsack import Front, pareto_front
from bcr.mapping.latency import LatencySource, Measurement
from bcr.mapping.network import Network, NetworkLayer, describe
from bcr.mapping.sensitivity import Harm, ProjectionError, Sensitivity
from bcr.mapping.splits import with_splits
from bcr.pruning.config import LayerConfig
from bcr.pruning.form import Form as PrunedForm
from bcr.pruning.schemes.registry import scheme_of

RATES = (2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
"""Rates that are tried."""

Times = Mapping[Choice, Measurement]
Select = Callable[[NetworkLayer, Times], Sequence[Choice]]
"""Which of a layer's measured choices go on; the others are not worth an estimate of their harm."""


@dataclass(frozen=True)
class Option:
    """A choice for a layer. `seconds` and `bytes` are None where nobody measured them."""

    choice: Choice
    harm: float
    kept: int
    seconds: float | None
    bytes: int | None


@dataclass(frozen=True)
class Problem:
    """What `solve` chooses from.

    Attributes:
        network: the layers.
        options: by name of the layer; the first one is dense.
        budget: the bound on all.
        before: seconds of a call of the dense network; None: not measured.
        remainder: those of them that no layer here accounts for.
    """

    network: Network
    options: Mapping[str, tuple[Option, ...]]
    budget: Budget
    before: float | None
    remainder: float | None

    def cost(self, layer: NetworkLayer, option: Option) -> float:
        """Return what an option takes of the budget."""
        kind = self.budget.kind
        if kind == "rate":
            return float(option.kept)
        if kind == "flops":
            return 2.0 * layer.macs * option.kept / layer.weights
        value = option.bytes if kind == "bytes" else option.seconds
        assert value is not None
        return float(value)

    @property
    def available(self) -> float:
        """What the layers may cost together, in the unit of `cost`."""
        budget, network = self.budget, self.network
        if budget.rate is not None:
            return sum(layer.weights for layer in network.layers) / budget.rate
        if budget.flops is not None:
            return budget.flops - 2 * network.fixed_macs
        if budget.bytes is not None:
            return budget.bytes - 4 * network.fixed_weights
        assert budget.latency is not None
        assert self.remainder is not None
        return budget.latency - self.remainder

    def front(
        self,
        admit: Callable[[str, Choice], bool] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> tuple[Front, list[list[Option]]]:
        """Return the Pareto front of cost and harm, and the options that its picks count.

        Args:
            admit: which choices of a layer are open besides dense; None: all.
            weights: factors on the harm of layers; 1 where missing.
        """
        options = [
            [
                option
                for option in self.options[layer.name]
                if option.choice == DENSE or admit is None or admit(layer.name, option.choice)
            ]
            for layer in self.network.layers
        ]
        factor = [(weights or {}).get(layer.name, 1.0) for layer in self.network.layers]
        costs = [
            [self.cost(layer, option) for option in some]
            for layer, some in zip(self.network.layers, options)
        ]
        harms = [[f * option.harm for option in some] for f, some in zip(factor, options)]
        return pareto_front(costs, harms), options

    def solve(
        self,
        admit: Callable[[str, Choice], bool] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> dict[str, Option] | None:
        """Return the options of least harm within the budget, by layer; None: it cannot be met."""
        front, options = self.front(admit, weights)
        point = front.within(self.available)
        if point is None:
            return None
        picks = front.picks[point]
        return {
            layer.name: some[pick] for layer, some, pick in zip(self.network.layers, options, picks)
        }

    def least(self) -> float:
        """Return the lowest value that the budget could have, in its own unit."""
        cheapest = sum(
            min(self.cost(layer, option) for option in self.options[layer.name])
            for layer in self.network.layers
        )
        if self.budget.rate is not None:
            return sum(layer.weights for layer in self.network.layers) / max(cheapest, 1.0)
        given = getattr(self.budget, self.budget.kind)
        return float(given) - self.available + cheapest

    def require_solution(self) -> dict[str, Option]:
        """Return what `solve` does.

        Raises:
            ConfigError: the budget cannot be met; the message says what can.
        """
        found = self.solve()
        if found is None:
            kind, budget = self.budget.kind, self.budget
            best = "highest" if kind == "rate" else "lowest"
            raise ConfigError(
                f"no choice for the layers meets {kind}={getattr(budget, kind):g}: the {best} "
                f"{kind} that the given rates and schemes reach is {self.least():.4g}; allow "
                "higher rates (rates=) or a larger budget"
            )
        return found

    def seconds(self, options: Mapping[str, Option]) -> float | None:
        """Return the predicted time of a call; None: nothing was measured."""
        times = [option.seconds for option in options.values()]
        if self.remainder is None or any(time is None for time in times):
            return None
        return self.remainder + sum(time for time in times if time is not None)


def smallest_blocks(tolerance: float) -> Select:
    """Return the selection that keeps, for each scheme and rate, the smallest block that is
    fast."""

    def select(layer: NetworkLayer, times: Times) -> list[Choice]:
        groups: dict[tuple[str, float], dict[Form, float]] = {}
        for choice, measurement in times.items():
            if choice.form is not None:
                group = groups.setdefault((choice.form.scheme, choice.rate), {})
                group[choice.form] = measurement.seconds
        return [
            Choice(smallest_block(seconds, layer.matrix, tolerance), rate)
            for (_, rate), seconds in groups.items()
        ]

    return select


def make_problem(
    model: nn.Module,
    inputs: Sequence[Any],
    budget: Budget,
    *,
    forms: Callable[[NetworkLayer], Iterable[Form]],
    rates: Sequence[float] = RATES,
    select: Select | None = None,
    sensitivity: Sensitivity | None = None,
    source: LatencySource | None = None,
    exclude: Iterable[str] = (),
    progress: bool = True,
) -> Problem:
    """Measure what a problem is made of.

    Args:
        model: dense, not changed.
        inputs: arguments of its `forward`.
        budget: the bound.
        forms: the forms that a layer may have; those that it cannot have are left out.
        rates: the rates that are tried.
        select: which choices of a layer go on, by their times; None: all.
        sensitivity: default `ProjectionError`.
        source: of times and bytes; None: neither is known, for budgets that need neither.
        exclude: names of layers that stay dense.
        progress: show bars on a terminal.

    Raises:
        ConfigError: a name, form or rate is impossible.
    """
    network = describe(model, inputs, exclude)
    choices: dict[str, list[Choice]] = {}
    for layer in network.layers:
        fitted = [form.fitted(layer.matrix) for form in forms(layer) if _applies(form, layer)]
        choices[layer.name] = [
            Choice(form, rate)
            for form in dict.fromkeys(fitted)
            for rate in dict.fromkeys(form.rates(rates))
            if rate > 1
        ]
    times: dict[str, dict[Choice, Measurement]] = {}
    before = remainder = None
    if source is not None:
        asked = with_splits(model, choices, progress)
        times, accounted = _times(network, asked, source)
        dense = source.network(model, inputs)
        before = dense.seconds
        remainder = before - sum(dense.layers.get(name, 0.0) for name in accounted)
        for layer in network.layers:
            known = times[layer.name]
            open_ = [choice for choice in choices[layer.name] if choice in known]
            if select is not None:
                open_ = list(select(layer, {choice: known[choice] for choice in open_}))
            choices[layer.name] = open_
    harms = (sensitivity or ProjectionError()).measure(model, choices, progress)
    options = {
        layer.name: _options(layer, choices[layer.name], harms[layer.name], times)
        for layer in network.layers
    }
    return Problem(network, options, budget, before, remainder)


def _applies(form: Form, layer: NetworkLayer) -> bool:
    """Return whether a layer can be pruned so: patterns, for example, are of 3x3 kernels."""
    spec = layer.specs[0]
    settings = LayerConfig(rate=2, block=(1, 1), scheme=form.scheme)
    shape = PrunedForm(spec.weight, spec.groups, settings)
    return not scheme_of(form.scheme).refusal(shape)


def _options(
    layer: NetworkLayer,
    choices: Sequence[Choice],
    harms: Mapping[Choice, Harm],
    times: Mapping[str, Times],
) -> tuple[Option, ...]:
    known = times.get(layer.name, {})

    def option(choice: Choice, harm: Harm) -> Option:
        cost = known.get(choice)
        seconds, size = (None, None) if cost is None else (cost.seconds, cost.bytes)
        return Option(choice, harm.loss, harm.kept, seconds, size)

    dense = option(DENSE, Harm(0.0, layer.weights))
    return (dense, *(option(choice, harms[choice]) for choice in choices))


def _times(
    network: Network, asked: Mapping[str, Mapping[Choice, Choice]], source: LatencySource
) -> tuple[dict[str, dict[Choice, Measurement]], list[str]]:
    """Ask for all times at once; add up the calls of a layer. Unknown ones are left out.

    Args:
        network: the layers.
        asked: by layer and choice, how the source is asked for it.
        source: of times.

    Returns:
        times by layer and choice, and the names of the modules whose times they are.
    """
    wanted: dict[Any, dict[Choice, None]] = {}
    for layer in network.layers:
        for spec in layer.specs:
            wanted.setdefault(spec, {}).update(dict.fromkeys(asked[layer.name].values()))
    source.prepare(list(wanted), [list(some) for some in wanted.values()])
    times: dict[str, dict[Choice, Measurement]] = {}
    accounted: list[str] = []
    for layer in network.layers:
        found: dict[Choice, Measurement] = {}
        for choice, question in ((DENSE, DENSE), *asked[layer.name].items()):
            parts = [source.layer(spec, question) for spec in layer.specs]
            if any(part is None for part in parts):
                continue
            known = [part for part in parts if part is not None]
            # The weights are stored once, however often the layer is called.
            found[choice] = Measurement(sum(p.seconds for p in known), known[0].bytes)
        if DENSE in found:
            accounted += layer.names
        else:
            # No kernel of its own: its time is a part of the remainder, and pruning saves none.
            found = {DENSE: Measurement(0.0, 4 * layer.weights)}
        times[layer.name] = found
    return times, accounted
