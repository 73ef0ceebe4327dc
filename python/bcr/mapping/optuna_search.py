"""Choosing scheme, block and rate of each layer by trials, with Optuna."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from bcr.errors import ConfigError
from bcr.mapping.allocation import SCHEMES, Allocation, allocation, forms_of
from bcr.mapping.blocks import BLOCKS
from bcr.mapping.budget import Budget
from bcr.mapping.choice import DENSE, Choice, Form
from bcr.mapping.latency import LatencySource
from bcr.mapping.measured import MeasuredLatency
from bcr.mapping.network import NetworkLayer
from bcr.mapping.oneshot import config_of
from bcr.mapping.problem import RATES, Option, Problem, Times, make_problem
from bcr.mapping.sensitivity import Sensitivity
from bcr.pruning import PruneConfig, Pruner
from bcr.pruning.validate import Block
from bcr.tables import NUMBER, render, time_text
from bcr.target import Target

if TYPE_CHECKING:
    import optuna

Evaluate = Callable[[nn.Module], "float | Iterable[float]"]
"""Maps a pruned model to its accuracy, higher is better: a number, or numbers one after the other
of which the last one counts, such as one after each epoch of fine-tuning."""

_WEIGHT = 8.0
"""Trials multiply a layer's estimated harm by at most so much, and divide it by as much."""
_SLACK = 1.02
"""A smaller block that is so much slower than a larger one still counts as being as fast."""


@dataclass(frozen=True)
class Trial:
    """One point of the search.

    Attributes:
        number: in its study.
        bound: the latency that it had to stay below, in seconds.
        accuracy: what `evaluate` said of it.
        latency: predicted seconds of a call.
        rate: weights by kept weights over the layers that can be pruned.
        choices: by layer.
    """

    number: int
    bound: float
    accuracy: float
    latency: float
    rate: float
    choices: Mapping[str, Choice]


@dataclass(frozen=True)
class SearchResult:
    """What a search found; `print` it for a table of the Pareto front.

    Attributes:
        trials: that were evaluated to the end, of all processes that share the studies.
        stopped: how many others were not worth it.
        dense: accuracy and measured latency of the model as it was given.
        method: of the configurations.
    """

    trials: tuple[Trial, ...]
    stopped: int
    dense: tuple[float, float]
    method: str
    problem: Problem

    @property
    def best(self) -> Trial:
        """The trial of highest accuracy, of equals the fastest."""
        return max(self.trials, key=lambda trial: (trial.accuracy, -trial.latency))

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other one beats in both accuracy and latency, by latency."""
        front: list[Trial] = []
        for trial in sorted(self.trials, key=lambda t: (t.latency, -t.accuracy)):
            if not front or trial.accuracy > front[-1].accuracy:
                front.append(trial)
        return tuple(front)

    def best_within(self, latency: float) -> Trial:
        """Return the trial of highest accuracy among those of at most this latency.

        Raises:
            ConfigError: there is none.
        """
        found = [trial for trial in self.front if trial.latency <= latency]
        if not found:
            raise ConfigError(f"no trial is predicted to take {time_text(latency)} or less")
        return found[-1]

    def config(self, trial: Trial | None = None) -> PruneConfig:
        """Return the configuration of a trial, by default the best."""
        trial = trial or self.best
        names = self.problem.network.names
        return config_of(trial.choices, names, max(round(trial.rate, 2), 1.0), self.method)

    def allocation(self, trial: Trial | None = None) -> Allocation:
        """Return a trial, by default the best, layer by layer."""
        trial = trial or self.best
        options = {
            name: next(o for o in self.problem.options[name] if o.choice == choice)
            for name, choice in trial.choices.items()
        }
        return allocation(self.problem, options, self.method)

    def __str__(self) -> str:
        columns = [("trial", NUMBER), ("latency", NUMBER), ("speed-up", NUMBER),
                   ("rate", NUMBER), ("accuracy", NUMBER), ("below dense", NUMBER)]  # fmt: skip
        accuracy, latency = self.dense
        rows = [("dense", time_text(latency), "1.00x", "1.00x", f"{accuracy:.4f}", "")]
        rows += [
            (
                str(t.number),
                time_text(t.latency),
                f"{latency / t.latency:.2f}x",
                f"{t.rate:.2f}x",
                f"{t.accuracy:.4f}",
                f"{accuracy - t.accuracy:+.4f}",
            )
            for t in reversed(self.front)
        ]
        footer = (
            f"{len(self.trials)} trials evaluated, {self.stopped} stopped early; latencies of "
            "trials are predicted"
        )
        return render("Pareto front", columns, rows, footer)


def search(
    model: nn.Module,
    inputs: Sequence[Any],
    evaluate: Evaluate,
    latency: float | Sequence[float],
    *,
    trials: int = 50,
    storage: Any = None,
    name: str = "bcr map",
    pruner: Any = None,
    target: str | Target = "host",
    num_threads: int = 1,
    sensitivity: Sensitivity | None = None,
    source: LatencySource | None = None,
    schemes: Sequence[str] = SCHEMES,
    blocks: Sequence[Block] = BLOCKS,
    rates: Sequence[float] = RATES,
    exclude: Iterable[str] = (),
    method: str = "oneshot",
    seed: int = 0,
    progress: bool = True,
) -> SearchResult:
    """Look for the most accurate network within a bound on its latency.

    After the search-based mapping of "Automatic Mapping of the Best-Suited DNN Pruning Schemes for
    Real-Time Mobile Acceleration" (Gong et al., TODAES 2022): an agent proposes scheme and block of
    each layer, and is rewarded by a quick estimate of the accuracy if the latency is met. Here the
    agent is Optuna's tree-structured Parzen estimator. It proposes for each layer a form (scheme
    and block) and how much more or less sensitive the layer is than estimated; the rates follow as
    those of least harm within the bound (`Problem.solve`). So each trial meets the bound and uses
    it up, and the first one is that of least estimated harm.

    Studies lie in Optuna's own storage: a second run with the same storage goes on where the first
    one ended, and any number of processes or machines that share a storage share the trials.

    Args:
        model: dense, trained; not changed.
        inputs: arguments of its `forward`.
        evaluate: accuracy of a pruned copy of the model, in eval mode. It may train the copy: zeros
            stay zero. From an iterable each number is reported as it comes, and a trial that
            falls behind is stopped. It must not depend on what it was called with before.
        latency: bound in seconds on a call of the whole network; several give a front, each with
            its own study.
        trials: how many each bound gets, all processes and earlier runs together.
        storage: None: in memory; a file name: SQLite; a URL or a storage as Optuna takes it.
        name: of the studies; the bound is added.
        pruner: of Optuna, for trials that fall behind; None: `MedianPruner` after 5 trials.
        target, num_threads: what is measured unless `source` is given.
        sensitivity, source, schemes, blocks, rates, exclude, method, progress: as for `allocate`.
        seed: of the sampler. Trials depend on it and on how many there are already.

    Raises:
        ConfigError: an argument is impossible, the bound cannot be met, Optuna is missing, or the
            studies in the storage are of another problem.
    """
    _require_optuna()
    bounds = [
        float(bound) for bound in ([latency] if isinstance(latency, (int, float)) else latency)
    ]
    if not bounds or trials < 1:
        raise ConfigError(f"search needs a bound and a trial, got {latency!r} and {trials!r}")
    problem = make_problem(
        model,
        inputs,
        Budget(latency=max(bounds), target=target, num_threads=num_threads),
        forms=lambda layer: forms_of(schemes, blocks),
        rates=rates,
        select=_worthwhile,
        sensitivity=sensitivity,
        source=source or MeasuredLatency(target, num_threads, progress=progress),
        exclude=exclude,
        progress=progress,
    )
    problems = [
        dataclasses.replace(problem, budget=dataclasses.replace(problem.budget, latency=bound))
        for bound in bounds
    ]
    for bounded in problems:
        bounded.require_solution()
    found: list[Trial] = []
    stopped = 0
    accuracy = None
    for bounded in problems:
        study = _Study(bounded, model, evaluate, _storage(storage), name, pruner, seed)
        accuracy = study.dense_accuracy if accuracy is None else accuracy
        study.run(trials, progress)
        done, dropped = study.results()
        found += done
        stopped += dropped
    if not found:
        raise ConfigError(f"all {stopped} trials were stopped early: give more of them (trials=)")
    assert accuracy is not None
    assert problem.before is not None
    return SearchResult(tuple(found), stopped, (accuracy, problem.before), method, problem)


def _require_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ConfigError(
            "the search needs Optuna, which is not installed: pip install 'bcr[map]'"
        ) from None


def _storage(storage: Any) -> Any:
    if isinstance(storage, (str, os.PathLike)) and "://" not in os.fspath(storage):
        # Seconds to wait for another process that writes; by default 5.
        return f"sqlite:///{os.path.abspath(storage)}?timeout=60"
    return storage


def _worthwhile(layer: NetworkLayer, times: Times) -> list[Choice]:
    """Keep the forms that are, at some rate, faster than all smaller blocks of their scheme."""
    by_rate: dict[tuple[str, float], list[tuple[int, float, Form]]] = {}
    for choice, measurement in times.items():
        if choice.form is not None:
            entry = (choice.form.area(layer.matrix), measurement.seconds, choice.form)
            by_rate.setdefault((choice.form.scheme, choice.rate), []).append(entry)
    kept: dict[Form, None] = {}
    for entries in by_rate.values():
        fastest = float("inf")
        for _, seconds, form in sorted(entries, key=lambda entry: entry[:2]):
            if seconds * _SLACK < fastest:
                kept[form] = None
                fastest = seconds
    return [choice for choice in times if choice.form in kept]


class _Study:
    """The trials for one bound."""

    def __init__(
        self,
        problem: Problem,
        model: nn.Module,
        evaluate: Evaluate,
        storage: Any,
        name: str,
        pruner: Any,
        seed: int,
    ) -> None:
        import optuna

        self._problem, self._model, self._evaluate = problem, model, evaluate
        assert problem.budget.latency is not None
        self._bound = problem.budget.latency
        self._forms = {
            layer: list(dict.fromkeys(o.choice.form for o in options if o.choice.form is not None))
            for layer, options in problem.options.items()
        }
        self._texts = {
            str(option.choice): option.choice
            for options in problem.options.values()
            for option in options
        }
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._study = optuna.create_study(
            storage=storage,
            study_name=f"{name} {self._bound * 1e6:.6g} us",
            direction="maximize",
            pruner=pruner or optuna.pruners.MedianPruner(n_startup_trials=5),
            load_if_exists=True,
        )
        self._claim()
        with warnings.catch_warnings():
            # Sampling parameters together is new in Optuna.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.sampler = optuna.samplers.TPESampler(
                seed=seed + len(self._study.trials), multivariate=True, constant_liar=True
            )

    def _claim(self) -> None:
        """Check that the study is one of this problem."""
        layers = {
            name: sorted(str(option.choice) for option in options)
            for name, options in self._problem.options.items()
        }
        text = json.dumps([layers, self._bound], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = self._study.user_attrs.get("problem", digest)
        if known != digest:
            raise ConfigError(
                f"the study {self._study.study_name!r} in this storage is one of other layers, "
                "schemes or blocks: give this one another name (name=) or another storage"
            )
        self._study.set_user_attr("problem", digest)

    @property
    def dense_accuracy(self) -> float:
        """Accuracy of the model as it was given, kept with the study."""
        known = self._study.user_attrs.get("dense_accuracy")
        if known is None:
            known = _last(self._evaluate(_copy(self._model)))
            self._study.set_user_attr("dense_accuracy", known)
        return float(known)

    def run(self, trials: int, progress: bool) -> None:
        """Go on until there are so many trials, those of other processes included."""
        import optuna
        from optuna.trial import TrialState

        from bcr.mapping.progress import Bar

        counted = (TrialState.COMPLETE, TrialState.PRUNED)
        done = len(self._study.get_trials(deepcopy=False, states=counted))
        if done >= trials:
            return
        if done == 0:
            for first in self._first():
                self._study.enqueue_trial(first, skip_if_exists=True)
        with Bar(f"search below {time_text(self._bound)}", trials - done, progress) as bar:

            def objective(trial: optuna.Trial) -> float:
                bar.advance(f"trial {trial.number}")
                return self._objective(trial)

            limit = optuna.study.MaxTrialsCallback(trials, states=counted)
            self._study.optimize(objective, n_trials=trials - done, callbacks=[limit])

    def _first(self) -> list[dict[str, Any]]:
        """What is tried first: what `allocate` finds, then each scheme alone."""
        solved = self._problem.require_solution()
        starts = [{name: option.choice.form for name, option in solved.items()}]
        for scheme in dict.fromkeys(f.scheme for forms in self._forms.values() for f in forms):
            starts.append(
                {
                    name: next((f for f in forms if f.scheme == scheme), None)
                    for name, forms in self._forms.items()
                }
            )
        first = []
        for start in starts:
            parameters: dict[str, Any] = {}
            for name, forms in self._forms.items():
                if forms:
                    parameters[f"form {name}"] = str(start.get(name) or forms[0])
                    parameters[f"weight {name}"] = 1.0
            first.append(parameters)
        return first

    def _objective(self, trial: optuna.Trial) -> float:
        import optuna

        options = self._propose(trial)
        if options is None:
            # These forms are too slow at any rate.
            raise optuna.TrialPruned
        choices = {name: str(option.choice) for name, option in options.items()}
        kept = sum(option.kept for option in options.values())
        trial.set_user_attr("choices", choices)
        trial.set_user_attr("latency", self._problem.seconds(options))
        weights = sum(layer.weights for layer in self._problem.network.layers)
        trial.set_user_attr("rate", weights / max(kept, 1))
        complete = (optuna.trial.TrialState.COMPLETE,)
        for other in self._study.get_trials(deepcopy=False, states=complete):
            if other.user_attrs.get("choices") == choices:
                assert other.value is not None
                return other.value
        pruned = _copy(self._model)
        picked = {name: option.choice for name, option in options.items()}
        # The zeros are held while `evaluate` trains.
        Pruner(pruned, config_of(picked, self._problem.network.names)).finalize()
        value = self._evaluate(pruned)
        if not isinstance(value, Iterable):
            return float(value)
        latest = None
        for step, latest in enumerate(value):
            trial.report(float(latest), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return _last([] if latest is None else [latest])

    def _propose(self, trial: optuna.Trial) -> dict[str, Option] | None:
        forms: dict[str, str] = {}
        weights: dict[str, float] = {}
        for name, possible in self._forms.items():
            if possible:
                forms[name] = trial.suggest_categorical(f"form {name}", [str(f) for f in possible])
                weights[name] = trial.suggest_float(
                    f"weight {name}", 1 / _WEIGHT, _WEIGHT, log=True
                )
        return self._problem.solve(
            lambda name, choice: str(choice.form) == forms.get(name), weights
        )

    def results(self) -> tuple[list[Trial], int]:
        """Return all trials that were evaluated, and how many were stopped."""
        from optuna.trial import TrialState

        done = []
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            attributes = trial.user_attrs
            choices = {n: self._texts.get(t, DENSE) for n, t in attributes["choices"].items()}
            assert trial.value is not None
            done.append(
                Trial(
                    trial.number,
                    self._bound,
                    trial.value,
                    attributes["latency"],
                    attributes["rate"],
                    choices,
                )
            )
        stopped = self._study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
        return done, len(stopped)


def _copy(model: nn.Module) -> nn.Module:
    return copy.deepcopy(model).eval()


def _last(value: float | Iterable[float]) -> float:
    if not isinstance(value, Iterable):
        return float(value)
    values = list(value)
    if not values:
        raise ConfigError("evaluate returned an empty iterable: it yields at least one accuracy")
    return float(values[-1])
