"""Tuning a network: which layers, for how long, and whether it was worth it."""

from __future__ import annotations

import ctypes
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bcr.errors import ConfigError
from bcr.target import Target
from bcr.tuning.config import TuneConfig
from bcr.tuning.isolate import find_layers, isolate
from bcr.tuning.records import LayerRecord, Schedule, TuningRecords, target_key
from bcr.tuning.search import LayerSearch, Progress, require_optuna

if TYPE_CHECKING:
    from bcr.executable import Executable
    from bcr.frontend.specs import ImportedModel
    from bcr.program import Program

Compile = Callable[[Mapping[str, Schedule] | None], "Program"]
"""Compiles the network, with records by layer key."""
Run = Callable[["Executable", Any], object]
"""Runs a compiled network once with a buffer for time stamps."""

_MIN_SHARE = 0.002
"""Layers that take a smaller part of the network's time are not worth a search."""
_NETWORK_GAIN = 0.995
"""A network with records has to take no more than this part of the time of that without."""
_FEWEST, _MOST, _SECONDS = 7, 40, 4.0
"""How often whole networks are run to compare them: least, most, and for how long."""


def usable_schedules(records: TuningRecords, target: Target, num_threads: int) -> dict[str, Any]:
    """Return what the compiler takes: the schedules that records have for a target, by layer."""
    layers = records.of(target_key(target, num_threads))
    return {key: record.schedule for key, record in layers.items() if record.schedule}


def tune_network(
    imported: ImportedModel,
    target: Target,
    config: TuneConfig,
    *,
    sparsity: str,
    num_threads: int,
    compile_with: Compile,
    run: Run,
) -> dict[str, Schedule]:
    """Measure what the records lack, keep it, and return the schedules to compile with.

    What is returned made the whole network faster than the models' choice, layer by layer and
    together; otherwise it is empty.

    Args:
        imported: the network.
        target: the machine, described: this one.
        config: records, time, trials, seed.
        sparsity, num_threads: as for `bcr.compile`.
        compile_with: compiles the network with given records, or None for none.
        run: runs it on the example inputs.

    Raises:
        ConfigError: the target is not this machine, or Optuna is missing.
        FormatError: the record file is damaged.
        ExportError: the record file cannot be written.
    """
    require_optuna()
    require_this_machine(target)
    records = TuningRecords()
    if config.path is not None and config.path.exists():
        records = TuningRecords.load(config.path)
    key = target_key(target, num_threads)
    baseline = _load(compile_with(None))
    times = measure_layers([baseline], run, seconds=1.0)[0]
    missing = _missing_layers(imported, times, records.of(key), sparsity, target, num_threads)
    found: dict[str, LayerRecord] = {}
    try:
        with Display(len(missing.layers), config.seconds) as display:
            _search_all(
                missing,
                target,
                num_threads,
                config,
                time.perf_counter() + config.seconds,
                found,
                display,
            )
    except KeyboardInterrupt:
        # What was found is kept; a second interrupt ends the compilation.
        print("\ninterrupted: compiling with what was found", file=sys.stderr)
    for layer, record in found.items():
        records.set(key, layer, record)
    schedules = usable_schedules(records, target, num_threads)
    schedules = {name: schedules[name] for name in missing.keys if name in schedules}
    if schedules:
        kept = keep_what_helps(baseline, schedules, compile_with, run)
        for layer in schedules.keys() - kept.keys() & found.keys():
            # It did not help in the network: the model's choice stays.
            records.set(key, layer, LayerRecord(trials=found[layer].trials))
        schedules = kept
    if config.path is not None and found:
        # Another process may have added records meanwhile.
        if config.path.exists():
            records.merge(TuningRecords.load(config.path))
        records.save(config.path)
    return schedules


def require_this_machine(target: Target) -> None:
    """Check that code for a target can be measured here.

    Raises:
        ConfigError: it cannot.
    """
    from bcr import _core

    host = _core.describe_target("", "", "")
    if target.runs_here and target.cpu == host.cpu:
        return
    raise ConfigError(
        f"tuning measures on this machine ({host.cpu}), but the target is {target.triple} "
        f"{target.cpu}: run `bcr tune` there and pass its record file here as tune=PATH"
    )


@dataclass
class _Missing:
    """What to search: isolated layers with their share of the network's time, longest first, and
    the keys of all layers."""

    layers: list[tuple[Any, float]]
    keys: list[str]
    cache_bytes: int


def _missing_layers(
    imported: ImportedModel,
    times: Mapping[str, float],
    known: Mapping[str, LayerRecord],
    sparsity: str,
    target: Target,
    num_threads: int,
) -> _Missing:
    from bcr import ir

    context = ir.Context()
    module = ir.Module.parse(imported.text, context)
    module.set_resources(dict(imported.weights))
    module.operation.attributes["bcr.records"] = {}
    ir.PassManager.parse(
        f"builtin.module(bcr-to-llvm{{sparsity={sparsity} threads={num_threads} "
        f"triple={target.triple} cpu={target.cpu} features={target.features} "
        "stop-after=select})",
        context,
    ).run(module)
    facts = module.attributes_to_python()
    shares: dict[str, float] = {}
    total = sum(times.values())
    for name, info in facts["bcr.layers"].items():
        key = info.get("tuning_key")
        if key is not None:
            shares[key] = shares.get(key, 0.0) + times.get(name, 0.0) / total
    found = find_layers(module)
    layers = [
        (isolate(op, info, may_choose=sparsity == "auto"), shares[key])
        for key, (op, info) in found.items()
        if key not in known and shares[key] >= _MIN_SHARE
    ]
    layers.sort(key=lambda entry: -entry[1])
    return _Missing(layers, list(found), 2 * int(facts["bcr.machine"]["l2_bytes"]))


def _search_all(
    missing: _Missing,
    target: Target,
    num_threads: int,
    config: TuneConfig,
    until: float,
    found: dict[str, LayerRecord],
    display: Display,
) -> None:
    """Search layer by layer. Each gets its share of the time that is left, so what one does not
    need goes to those after it."""
    left = sum(share for _, share in missing.layers)
    for layer, share in missing.layers:
        now = time.perf_counter()
        if now >= until:
            return
        end = now + (until - now) * share / left
        left -= share
        display.start(layer.name)
        search = LayerSearch(
            layer,
            target,
            num_threads,
            cache_bytes=missing.cache_bytes,
            trials=config.trials,
            seed=config.seed,
        )
        try:
            search.run(end, display.update)
        finally:
            if search.trials:
                found[layer.key] = search.best()
        display.finish(search.best())


def keep_what_helps(
    baseline: Executable, schedules: Mapping[str, Schedule], compile_with: Compile, run: Run
) -> dict[str, Schedule]:
    """Compare networks with and without records, and leave out the records that do not help."""
    kept = dict(schedules)
    for _ in range(2):
        tuned = _load(compile_with(kept))
        before, after = measure_layers([baseline, tuned], run, seconds=_SECONDS)
        slower: set[str] = set()
        gain: dict[str, float] = {}
        for name, info in tuned.program.layers.items():
            key = info.get("tuning_key")
            if key in kept and name in before:
                gain[key] = gain.get(key, 0.0) + before[name] - after[name]
        slower = {key for key in kept if gain.get(key, 0.0) <= 0}
        if not slower:
            # Together they may still cost, by what they do to the layers between.
            return kept if compare_networks(baseline, tuned, run) < _NETWORK_GAIN else {}
        for key in slower:
            del kept[key]
        if not kept:
            return {}
    tuned = _load(compile_with(kept))
    return kept if compare_networks(baseline, tuned, run) < _NETWORK_GAIN else {}


def measure_layers(
    networks: Sequence[Executable], run: Run, seconds: float
) -> list[dict[str, float]]:
    """Run networks in turns and return the median time of each layer in each, in ticks."""
    slots = []
    for network in networks:
        layers = network.program.layers
        slots.append({n: int(i["profile_slot"]) for n, i in layers.items() if "profile_slot" in i})
    buffers = [(ctypes.c_int64 * (2 * (len(names) + 1)))() for names in slots]
    ticks: list[dict[str, list[int]]] = [{name: [] for name in names} for names in slots]
    until = time.perf_counter() + seconds
    for round_ in range(_MOST + 1):
        for network, buffer, names, seen in zip(networks, buffers, slots, ticks):
            run(network, buffer)
            if round_:
                for name, slot in names.items():
                    seen[name].append(buffer[2 * slot + 1] - buffer[2 * slot])
        if round_ >= _FEWEST and time.perf_counter() > until:
            break
    return [{name: statistics.median(v) for name, v in seen.items()} for seen in ticks]


def compare_networks(reference: Executable, candidate: Executable, run: Run) -> float:
    """Run two networks in turns and return the median ratio of their times."""
    ratios = []
    until = time.perf_counter() + _SECONDS
    for index in range(_MOST + 1):
        seconds = {}
        # Whoever goes second finds the machine as the first left it, so they take turns.
        for network in (reference, candidate) if index % 2 else (candidate, reference):
            begin = time.perf_counter()
            run(network, None)
            seconds[network] = time.perf_counter() - begin
        if index:
            ratios.append(seconds[candidate] / seconds[reference])
        if index >= _FEWEST and time.perf_counter() > until:
            break
    return statistics.median(ratios)


def _load(program: Program) -> Executable:
    from bcr.executable import Executable

    return Executable(program)


class Display:
    """A progress bar on a terminal; nothing where nobody watches."""

    def __init__(self, num_layers: int, seconds: float) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("tuning"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.description}"), TimeElapsedColumn(), TextColumn(f"of {seconds:g} s"),
            console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=num_layers)
        self._name = ""

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def start(self, name: str) -> None:
        """Begin with a layer."""
        self._name = name
        self._bar.update(self._task, description=name)

    def update(self, progress: Progress) -> None:
        """Show how far the layer is."""
        text = f"{self._name}: {progress.trials} trials, best {progress.speedup:.2f}x"
        self._bar.update(self._task, description=text)

    def finish(self, record: LayerRecord) -> None:
        """End with a layer."""
        self._bar.advance(self._task)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
