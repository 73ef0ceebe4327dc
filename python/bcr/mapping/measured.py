"""Latency measured on the target, kept in a table."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bcr.errors import ConfigError, UnsupportedError
from bcr.mapping.bench import LayerBench
from bcr.mapping.choice import DENSE, Choice
from bcr.mapping.latency import Measurement, NetworkTime
from bcr.mapping.progress import Bar
from bcr.mapping.stamps import lower_quartile, run_stamped
from bcr.mapping.table import NEIGHBOURS, LatencyTable, TableKey
from bcr.target import Target
from bcr.tuning.tuner import require_this_machine

if TYPE_CHECKING:
    from torch import nn

    from bcr.mapping.network import LayerSpec

_NETWORK_SECONDS = 0.5
"""For so long a whole network is run."""
_SAVE_EVERY = 30.0
"""Seconds after which measurements are written, so that an interruption loses little."""


class MeasuredLatency:
    """Times of compiled layers on a target; a `LatencySource`.

    What is measured is kept in a table, by default a file in the user's cache folder, so a target
    is measured once. Rates between two measured ones that are at most 2x apart are interpolated.

    Args:
        target: name or `bcr.Target`. Only this machine can be measured; for another one pass the
            table that was made there as `path`.
        num_threads: of a call.
        path: the file of the table; None: the one for this target in the cache folder.
        seconds: time for measuring in one `prepare`, besides dense layers; what is left out is
            interpolated as well as possible, or not open to its layer. None: as long as it takes,
            some 0.15 s a measurement.
        progress: show a bar on a terminal.

    Raises:
        ConfigError: the file is the table of another target.
        FormatError: the file is no latency table.
    """

    def __init__(
        self,
        target: str | Target = "host",
        num_threads: int = 1,
        *,
        path: str | os.PathLike[str] | None = None,
        seconds: float | None = None,
        progress: bool = True,
    ) -> None:
        self.target = Target.of(target).resolve()
        self.num_threads = num_threads
        key = TableKey.of(self.target, num_threads)
        self.path = key.default_path if path is None else Path(path)
        self.table = LatencyTable(key)
        if self.path.exists():
            found = LatencyTable.load(self.path)
            if found.key != key:
                raise ConfigError(f"{self.path} is the table of {found.key}, not of {key}")
            self.table = found
        self._seconds, self._progress = seconds, progress
        self._gap = NEIGHBOURS
        self._unsupported: set[LayerSpec] = set()

    def prepare(self, specs: Sequence[LayerSpec], choices: Sequence[Sequence[Choice]]) -> None:
        """Measure what the table lacks: dense layers first, then the ends of each form's rates,
        then between them until neighbours are near enough.

        Raises:
            ConfigError: something is missing and the target is not this machine.
        """
        missing = [
            (spec, [choice for choice in (DENSE, *options) if self._lacks(spec, choice)])
            for spec, options in zip(specs, choices, strict=True)
        ]
        missing = [(spec, lacking) for spec, lacking in missing if lacking]
        if not missing:
            return
        self._require_machine()
        until = float("inf") if self._seconds is None else time.monotonic() + self._seconds
        saved = time.monotonic()
        count = sum(len(lacking) for _, lacking in missing)
        benches: dict[LayerSpec, LayerBench] = {}
        try:
            with Bar("measuring layers", count, self._progress) as bar:
                for spec, choice in _by_importance(missing):
                    bar.advance(f"{spec}, {choice}")
                    # A neighbour may have come meanwhile.
                    if not self._lacks(spec, choice):
                        continue
                    # Nothing can be said of a layer whose dense time is unknown.
                    if choice != DENSE and time.monotonic() >= until:
                        break
                    self._measure(spec, choice, benches)
                    if time.monotonic() - saved > _SAVE_EVERY:
                        self.table.save(self.path)
                        saved = time.monotonic()
                else:
                    return
            # Out of time: neighbours of any distance are better than nothing.
            self._gap = float("inf")
        finally:
            self.table.save(self.path)

    def layer(self, spec: LayerSpec, choice: Choice) -> Measurement | None:
        """Return what the table has, measured or interpolated."""
        return self.table.between(spec, choice, self._gap)

    def network(self, model: nn.Module, inputs: Sequence[Any]) -> NetworkTime:
        """Compile a network as it is and time it.

        Raises:
            ConfigError: the target is not this machine.
        """
        import bcr

        self._require_machine()
        executable = bcr.compile(model, inputs, target=self.target, num_threads=self.num_threads)
        runs = run_stamped(executable, inputs, _NETWORK_SECONDS)
        layers: dict[str, float] = {}
        for full, times in runs.layers.items():
            # The second call of a layer has its name and a number.
            name, mark, number = full.rpartition("#")
            name = name if mark and number.isdigit() else full
            layers[name] = layers.get(name, 0.0) + lower_quartile(times)
        return NetworkTime(sum(layers.values()) + lower_quartile(runs.rest), layers)

    def _lacks(self, spec: LayerSpec, choice: Choice) -> bool:
        return spec not in self._unsupported and self.table.between(spec, choice) is None

    def _require_machine(self) -> None:
        try:
            require_this_machine(self.target)
        except ConfigError:
            raise ConfigError(
                f"the latency table {self.path} lacks layers of this network, and they can only be "
                f"measured on the target, {self.target.triple} {self.target.cpu}: run the same "
                "there and pass its table here as path= (bcr map --table)"
            ) from None

    def _measure(
        self, spec: LayerSpec, choice: Choice, benches: dict[LayerSpec, LayerBench]
    ) -> None:
        try:
            if spec not in benches:
                benches[spec] = LayerBench(spec, self.target, self.num_threads)
            self.table.set(spec, choice, benches[spec].measure(choice))
        except UnsupportedError:
            self._unsupported.add(spec)


def _by_importance(
    missing: Sequence[tuple[LayerSpec, Sequence[Choice]]],
) -> Iterator[tuple[LayerSpec, Choice]]:
    """Yield all, so that wherever it is cut off what came before says most."""
    rates = sorted({choice.rate for _, choices in missing for choice in choices})
    # Powers of two first: they are as far apart as neighbours may be.
    order = sorted(_ends_first(rates), key=lambda rate: not math.log2(rate).is_integer())
    place = {rate: index for index, rate in enumerate(order)}
    entries = [(spec, choice) for spec, choices in missing for choice in choices]
    entries.sort(key=lambda entry: (entry[1].form is not None, place[entry[1].rate]))
    yield from entries


def _ends_first(values: Sequence[float]) -> list[float]:
    """Order values: both ends, then the middle of every gap, and so on."""
    if len(values) < 3:
        return list(values)
    order = [0, len(values) - 1]
    gaps = [(0, len(values) - 1)]
    while gaps:
        low, high = gaps.pop(0)
        if high - low > 1:
            middle = (low + high) // 2
            order.append(middle)
            gaps += [(low, middle), (middle, high)]
    return [values[index] for index in order]
