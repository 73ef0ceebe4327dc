"""The latency table of a target: what layers take, by shape and choice, in a file.

```json
{
  "format": "bcr latency table", "version": 1,
  "target": {"triple": "x86_64-unknown-linux-gnu", "cpu": "znver5", "features": "+avx512f,...",
             "num_threads": 1, "bcr": "0.1.0"},
  "layers": {
    "conv 1x64x32x32 to 64 kernel 3x3 stride 1x1 padding 1x1 dilation 1x1 groups 1": {
      "dense": {"seconds": 0.000171, "bytes": 147456, "spread": 0.01, "runs": 172},
      "columns 8x64 rate 4": {"seconds": 4.6e-05, "bytes": 38912, "spread": 0.02, "runs": 493}
    }
  }
}
```

Times of one version of bcr say little about another, so it is a part of the key.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bcr
from bcr.container import write_atomically
from bcr.errors import ConfigError, ExportError, FormatError
from bcr.mapping.latency import Measurement
from bcr.target import Target

if TYPE_CHECKING:
    from bcr.mapping.choice import Choice
    from bcr.mapping.network import LayerSpec

FORMAT = "bcr latency table"
VERSION = 1
NEIGHBOURS = 2.0
"""Times of rates that lie no further apart are interpolated between."""


@dataclass(frozen=True)
class TableKey:
    """What all times of a table were measured on; `Target` explains the first three."""

    triple: str
    cpu: str
    features: str
    num_threads: int
    bcr: str

    @classmethod
    def of(cls, target: Target, num_threads: int) -> TableKey:
        """Return the key of a target for this version of bcr."""
        found = target.resolve()
        return cls(found.triple, found.cpu, found.features, num_threads, bcr.__version__)

    @property
    def default_path(self) -> Path:
        """The file in the user's cache folder.

        Raises:
            ConfigError: platformdirs, which knows where that is, is not installed.
        """
        try:
            from platformdirs import user_cache_path
        except ImportError:
            raise ConfigError(
                "the folder for latency tables is found by platformdirs, which is not installed: "
                "pip install 'bcr[map]', or name a file"
            ) from None
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:8]
        name = f"{self.cpu}-{self.num_threads}-{digest}.json"
        return user_cache_path("bcr") / "latency" / name

    def __str__(self) -> str:
        return f"{self.triple} {self.cpu}, {self.num_threads} threads, bcr {self.bcr}"


class LatencyTable:
    """Measurements of one target."""

    def __init__(self, key: TableKey) -> None:
        self.key = key
        self._layers: dict[str, dict[str, Measurement]] = {}

    def get(self, spec: LayerSpec, choice: Choice) -> Measurement | None:
        """Return what was measured."""
        return self._layers.get(str(spec), {}).get(str(choice))

    def set(self, spec: LayerSpec, choice: Choice, measurement: Measurement) -> None:
        """Keep a measurement in place of an older one."""
        self._layers.setdefault(str(spec), {})[str(choice)] = measurement

    def __len__(self) -> int:
        return sum(map(len, self._layers.values()))

    def __iter__(self) -> Iterator[tuple[str, str, Measurement]]:
        """Yield layer, choice and measurement, both as the file names them."""
        for layer, choices in self._layers.items():
            for choice, measurement in choices.items():
                yield layer, choice, measurement

    def between(
        self, spec: LayerSpec, choice: Choice, gap: float = NEIGHBOURS
    ) -> Measurement | None:
        """Return what was measured, or what follows from two rates around it.

        Time and bytes are interpolated linearly in the share of weights kept, 1 / rate: the work of
        a kernel is proportional to it. A dense layer runs other code and is no neighbour.

        Args:
            spec, choice: what is asked for.
            gap: largest ratio of the two rates.
        """
        exact = self.get(spec, choice)
        if exact is not None or choice.form is None:
            return exact
        measured = self._rates(spec, choice)
        low = max((rate for rate in measured if rate < choice.rate), default=None)
        high = min((rate for rate in measured if rate > choice.rate), default=None)
        if low is None or high is None or high / low > gap * (1 + 1e-9):
            return None
        part = (1 / choice.rate - 1 / low) / (1 / high - 1 / low)
        a, b = measured[low], measured[high]
        return Measurement(
            a.seconds + part * (b.seconds - a.seconds),
            round(a.bytes + part * (b.bytes - a.bytes)),
            max(a.spread, b.spread),
        )

    def _rates(self, spec: LayerSpec, choice: Choice) -> dict[float, Measurement]:
        """Return what was measured of a form, with the same rows in a block, by rate."""
        found = {}
        for name, measurement in self._layers.get(str(spec), {}).items():
            form, _, rest = name.partition(" rate ")
            rate, _, rows = rest.partition(" rows ")
            if form == str(choice.form) and rows == str(choice.rows or ""):
                found[float(rate)] = measurement
        return found

    def merge(self, other: LatencyTable) -> None:
        """Take the measurements of `other` that are new, or rest on more runs than those here.

        Raises:
            ConfigError: it is the table of another target.
        """
        if other.key != self.key:
            raise ConfigError(f"tables of two targets cannot be merged: {self.key} and {other.key}")
        for layer, choices in other._layers.items():
            mine = self._layers.setdefault(layer, {})
            for choice, measurement in choices.items():
                if choice not in mine or measurement.runs > mine[choice].runs:
                    mine[choice] = measurement

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LatencyTable:
        """Read a file.

        Raises:
            FormatError: it cannot be read, is damaged, of another version or no latency table.
        """
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
            if value["format"] != FORMAT:
                raise ValueError("it is of another kind")
            if value["version"] != VERSION:
                raise ValueError(f"it has version {value['version']}, this bcr reads {VERSION}")
            key = value["target"]
            words = all(isinstance(key[n], str) for n in ("triple", "cpu", "features", "bcr"))
            if not words or type(key["num_threads"]) is not int:
                raise ValueError("its target is not named")
            table = cls(TableKey(**key))
            for layer, choices in value["layers"].items():
                table._layers[layer] = {
                    choice: _measurement(entry) for choice, entry in choices.items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = error if str(error) else type(error).__name__
            raise FormatError(
                f"{os.fspath(path)} is no latency table ({reason}); delete it, or name another file"
            ) from None
        return table

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, all at once; what another process added to it since stays.

        Raises:
            ExportError: the file cannot be written; the old one is untouched.
            FormatError: the file that is there is no latency table.
            ConfigError: the file that is there is the table of another target.
        """
        path = Path(path)
        if path.exists():
            self.merge(LatencyTable.load(path))
        value = {
            "format": FORMAT,
            "version": VERSION,
            "target": asdict(self.key),
            "layers": {
                layer: {name: asdict(choices[name]) for name in sorted(choices)}
                for layer, choices in sorted(self._layers.items())
            },
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExportError(f"cannot write {path}: {error}") from None
        text = json.dumps(value, indent=1) + "\n"
        write_atomically(path, lambda to: to.write_text(text, encoding="utf-8"))


def _measurement(entry: Any) -> Measurement:
    """Read what `asdict` made of one."""
    seconds, size, spread, runs = (entry[n] for n in ("seconds", "bytes", "spread", "runs"))
    if not (math.isfinite(seconds) and seconds > 0 and math.isfinite(spread) and spread >= 0):
        raise ValueError(f"no time: {seconds}, {spread}")
    if type(size) is not int or type(runs) is not int:
        raise ValueError(f"no count: {size}, {runs}")
    return Measurement(float(seconds), size, float(spread), runs)
