"""The search for the fastest schedule of one layer."""

from __future__ import annotations

import concurrent.futures
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bcr.errors import ConfigError
from bcr.target import Target
from bcr.tuning.isolate import IsolatedLayer, Variant
from bcr.tuning.records import LayerRecord, Schedule
from bcr.tuning.timing import CompiledLayer, LayerInputs, compare, parse_variant

if TYPE_CHECKING:
    import optuna

_GAIN = 0.98
"""A schedule has to take no more than this part of the time of the model's choice: less is noise,
and a network compiled without records is one thing less to explain."""
_FINALISTS = 3
"""So many of the best are measured again, longer: the best of many measurements was lucky too."""
_FINAL_EFFORT = 4.0
_FROM_MODEL = 4
"""The search begins with so many of the schedules that the model ranks first."""
_PATIENCE = 20
"""After so many trials without a better one the search of a layer ends."""


@dataclass(frozen=True)
class Point:
    """A form and a schedule of a layer; `band` 0 and `tile` None leave the choice to the models."""

    variant: Variant
    tile: tuple[str, int, int] | None = None
    band: int = 0

    def to_schedule(self) -> Schedule:
        """Return the record that asks for it."""
        schedule = self.variant.to_schedule()
        if self.tile is not None:
            kernel, height, vectors = self.tile
            schedule.update(kernel=kernel, height=height, vectors=vectors)
        if self.band:
            schedule["band"] = self.band
        return schedule


class Space:
    """The schedules that a layer can have, as the compiler lists them."""

    def __init__(self, layer: IsolatedLayer, target: Target, num_threads: int) -> None:
        from bcr import _core, ir

        described = _core.describe_target(target.triple, target.cpu, target.features)
        self.tiles: list[tuple[str, int, int]] = []
        self.bands: list[int] = []
        ranked: list[tuple[float, Point]] = []
        for variant in layer.variants:
            context = ir.Context()
            module = parse_variant(layer, variant, context)
            ir.PassManager.parse(
                f"builtin.module(bcr-compact,bcr-reorder{{threads={num_threads}}},bcr-tile{{"
                f"threads={num_threads} lanes={described.lanes} registers={described.registers} "
                "candidates=true})",
                context,
            ).run(module)
            info = module.attributes_to_python()["bcr.layers"][layer.name]
            self.bands = [0, *(int(band) for band in info["bands"])]
            for candidate in info["candidates"]:
                tile = (candidate["kernel"], candidate["height"], candidate["vectors"])
                ranked.append((candidate["cycles"], Point(variant, tile)))
        ranked.sort(key=lambda entry: entry[0])
        self.ranked = [point for _, point in ranked]
        """Points by the model's estimate, the fastest first."""
        self.tiles = list(dict.fromkeys(point.tile for point in self.ranked if point.tile))
        self.variants = list(layer.variants)

    def suggest(self, trial: optuna.trial.Trial) -> Point:
        """Let the sampler choose a point."""
        variant = trial.suggest_categorical("variant", range(len(self.variants)))
        tile = self.tiles[trial.suggest_categorical("tile", range(len(self.tiles)))]
        band = 0
        if tile[0] == "pixels":
            band = trial.suggest_categorical("band", self.bands)
        return Point(self.variants[variant], tile, band)

    def parameters(self, point: Point) -> dict[str, Any]:
        """Return what `suggest` would have asked for to arrive at `point`."""
        assert point.tile is not None
        return {
            "variant": self.variants.index(point.variant),
            "tile": self.tiles.index(point.tile),
            "band": point.band,
        }

    def __len__(self) -> int:
        bands = sum(len(self.bands) if tile[0] == "pixels" else 1 for tile in self.tiles)
        return len(self.variants) * bands


@dataclass
class Progress:
    """What a search has seen so far: number of trials and the best speed-up over the model."""

    trials: int = 0
    speedup: float = 1.0


class LayerSearch:
    """Searches the schedules of one layer. `best()` is what was found, at any time."""

    def __init__(
        self,
        layer: IsolatedLayer,
        target: Target,
        num_threads: int,
        *,
        cache_bytes: int,
        trials: int,
        seed: int,
    ) -> None:
        self.layer = layer
        self._target, self._num_threads = target, num_threads
        self._limit, self._seed = trials, seed
        self._space = Space(layer, target, num_threads)
        self._reference = CompiledLayer(
            layer, layer.chosen, layer.chosen.to_schedule(), target, num_threads
        )
        self._data = LayerInputs(layer, cache_bytes, seed)
        self._ratios: dict[Point, float] = {}
        self._kernels: dict[Point, CompiledLayer] = {}
        self._confirmed: tuple[Point, float] | None = None

    def run(self, until: float, report: Callable[[Progress], None]) -> None:
        """Search until `time.perf_counter()` reaches `until` or nothing is left to find."""
        study = self._make_study()
        jobs = os.cpu_count() or 1
        since_best = 0
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            while time.perf_counter() < until and since_best < _PATIENCE:
                batch = self._ask(study, min(2 * jobs, self._limit - len(self._ratios)))
                if not batch:
                    break
                # Compile side by side, then measure alone.
                kernels = list(pool.map(self._compile, [point for _, point in batch]))
                for (trial, point), kernel in zip(batch, kernels):
                    best = min(self._ratios.values(), default=1.0)
                    ratio = self._measure(point, kernel)
                    study.tell(trial, ratio)
                    since_best = 0 if ratio < 0.99 * best else since_best + 1
                report(self._progress())
        self._confirm()
        report(self._progress())

    @property
    def trials(self) -> int:
        """The number of schedules that were measured."""
        return len(self._ratios)

    def best(self) -> LayerRecord:
        """Return a record of the fastest schedule, or of the model's if none is faster."""
        if self._confirmed is None or self._confirmed[1] > _GAIN:
            return LayerRecord(trials=len(self._ratios))
        point, ratio = self._confirmed
        return LayerRecord(point.to_schedule(), round(1 / ratio, 3), len(self._ratios))

    def _progress(self) -> Progress:
        best = self._confirmed[1] if self._confirmed else min(self._ratios.values(), default=1.0)
        return Progress(len(self._ratios), 1 / min(best, 1.0))

    def _make_study(self) -> optuna.study.Study:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            # Sampling parameters together, some of which are not always there, is new in Optuna.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                seed=self._seed, n_startup_trials=8, multivariate=True, group=True,
                constant_liar=True,
            )  # fmt: skip
        study = optuna.create_study(sampler=sampler)
        for point in self._first_points():
            study.enqueue_trial(self._space.parameters(point))
        return study

    def _first_points(self) -> Iterator[Point]:
        """What to try first: the model's best, and the best of each form."""
        yield from self._space.ranked[:_FROM_MODEL]
        for variant in self._space.variants:
            yield next(point for point in self._space.ranked if point.variant == variant)

    def _ask(self, study: optuna.study.Study, count: int) -> list[tuple[Any, Point]]:
        """Ask for points that were not measured yet."""
        batch: list[tuple[Any, Point]] = []
        for _ in range(8 * max(count, 1)):
            if len(batch) >= count or len(self._ratios) + len(batch) >= len(self._space):
                break
            trial = study.ask()
            point = self._space.suggest(trial)
            if point in self._ratios:
                study.tell(trial, self._ratios[point])
            elif all(point != other for _, other in batch):
                batch.append((trial, point))
            else:
                import optuna

                study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return batch

    def _compile(self, point: Point) -> CompiledLayer | None:
        try:
            return CompiledLayer(
                self.layer, point.variant, point.to_schedule(), self._target, self._num_threads
            )
        except ConfigError:
            # The tile is one of another form.
            return None

    def _measure(self, point: Point, kernel: CompiledLayer | None) -> float:
        ratio = float("inf")
        if kernel is not None:
            ratio = compare(self._reference, kernel, self._data).ratio
            self._kernels[point] = kernel
        # Optuna takes no infinities.
        self._ratios[point] = min(ratio, 100.0)
        for worse in sorted(self._kernels, key=self._ratios.__getitem__)[_FINALISTS:]:
            del self._kernels[worse]
        return self._ratios[point]

    def _confirm(self) -> None:
        """Measure the best ones again."""
        self._confirmed = None
        for point, kernel in self._kernels.items():
            if self._ratios[point] > 1:
                continue
            ratio = compare(self._reference, kernel, self._data, _FINAL_EFFORT).ratio
            if self._confirmed is None or ratio < self._confirmed[1]:
                self._confirmed = (point, ratio)


def require_optuna() -> None:
    """Check that the search library is there.

    Raises:
        ConfigError: it is not.
    """
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise ConfigError(
            "tuning needs Optuna, which is not installed: pip install 'bcr[tune]'"
        ) from None
