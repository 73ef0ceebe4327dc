"""Files of tuning records.

A file holds, for each target, a record for each layer that was measured:

```json
{
  "format": "bcr tuning records",
  "version": 1,
  "targets": [
    {
      "triple": "x86_64-unknown-linux-gnu", "cpu": "znver5", "features": "+avx512f,...",
      "num_threads": 1,
      "layers": {
        "conv2d 1x64x56x56 to 64 kernel 3x3 ..., blocks 8x64 rate 8.0 revisits 0": {
          "schedule": {"form": "sparse", "kernel": "pixels", "height": 8, "vectors": 2},
          "speedup": 1.08, "trials": 40
        }
      }
    }
  ]
}
```

The key of a layer is what `bcr-select` reports as `tuning_key`. An empty schedule says that nothing
was found to be faster than what the cost model chooses.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bcr.errors import ExportError, FormatError
from bcr.target import Target

FORMAT = "bcr tuning records"
VERSION = 1
_WORDS = ("form", "kernel")
_NUMBERS = ("block_rows", "height", "vectors", "band")

Schedule = dict[str, str | int]
"""What a record says: any of form, block_rows, kernel, height, vectors and band, as `bcr-tile`
takes them; empty: the model's choice."""
TargetKey = tuple[str, str, str, int]
"""Triple, processor, features and number of threads."""


@dataclass(frozen=True)
class LayerRecord:
    """What measuring found for a layer.

    Attributes:
        schedule: the fastest one; empty: that of the cost model.
        speedup: time of the model's choice divided by that of `schedule`, measured side by side.
        trials: how many schedules were measured.
    """

    schedule: Schedule = field(default_factory=dict)
    speedup: float = 1.0
    trials: int = 0

    @classmethod
    def from_json(cls, value: Any) -> LayerRecord:
        """Read what `to_json` returned.

        Raises:
            ValueError: it is no record.
        """
        schedule, speedup, trials = (value[name] for name in ("schedule", "speedup", "trials"))
        words = all(isinstance(schedule.get(name, ""), str) for name in _WORDS)
        numbers = all(type(schedule.get(name, 0)) is int for name in _NUMBERS)
        if not (words and numbers and set(schedule) <= {*_WORDS, *_NUMBERS}):
            raise ValueError(f"no schedule: {schedule}")
        if not float(speedup) > 0 or type(trials) is not int:
            raise ValueError(f"no measurement: {speedup}, {trials}")
        return cls(dict(schedule), float(speedup), trials)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value that `from_json` reads back."""
        return {"schedule": self.schedule, "speedup": self.speedup, "trials": self.trials}

    def is_better_than(self, other: LayerRecord) -> bool:
        """Whether it rests on more measurements, or on as many and found something faster."""
        return (self.trials, self.speedup) > (other.trials, other.speedup)


def target_key(target: Target, num_threads: int) -> TargetKey:
    """Return what records of a described target are kept under."""
    return target.triple, target.cpu, target.features, num_threads


class TuningRecords:
    """Tuning records of any number of targets and layers."""

    def __init__(self) -> None:
        self._targets: dict[TargetKey, dict[str, LayerRecord]] = {}

    def of(self, target: TargetKey) -> Mapping[str, LayerRecord]:
        """Return the records of a target by layer key; none if it was never measured."""
        return self._targets.get(target, {})

    def targets(self) -> list[TargetKey]:
        """Return the targets that have records."""
        return list(self._targets)

    def set(self, target: TargetKey, layer: str, record: LayerRecord) -> None:
        """Keep a record in place of an older one of this layer."""
        self._targets.setdefault(target, {})[layer] = record

    def merge(self, other: TuningRecords) -> None:
        """Take the records of `other` that are new or better than those here."""
        for target, layers in other._targets.items():
            mine = self._targets.setdefault(target, {})
            for layer, record in layers.items():
                if layer not in mine or record.is_better_than(mine[layer]):
                    mine[layer] = record

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TuningRecords:
        """Read a file.

        Raises:
            FormatError: it cannot be read, is damaged, of another version or no file of records.
        """
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
            if value["format"] != FORMAT:
                raise ValueError("it is of another kind")
            version = value["version"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            reason = error if str(error) else type(error).__name__
            raise FormatError(
                f"{os.fspath(path)} is no file of tuning records ({reason}); delete it, or name "
                "another"
            ) from None
        if version != VERSION:
            raise FormatError(
                f"{os.fspath(path)} has tuning records of version {version}, this bcr reads "
                f"version {VERSION}; tune again, into another file"
            )
        records = cls()
        try:
            for entry in value["targets"]:
                names = [entry[name] for name in ("triple", "cpu", "features")]
                threads = entry["num_threads"]
                if not all(isinstance(name, str) for name in names) or type(threads) is not int:
                    raise ValueError("a target is not named")
                key = (names[0], names[1], names[2], threads)
                for layer, record in entry["layers"].items():
                    records.set(key, layer, LayerRecord.from_json(record))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FormatError(
                f"the tuning records in {os.fspath(path)} are damaged ({error!r}); delete the file"
            ) from None
        return records

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file, all at once: a reader sees the old one or the new one.

        Raises:
            ExportError: the file cannot be written; the old one is untouched.
        """
        targets = [
            {
                "triple": triple,
                "cpu": cpu,
                "features": features,
                "num_threads": threads,
                "layers": {name: layers[name].to_json() for name in sorted(layers)},
            }
            for (triple, cpu, features, threads), layers in sorted(self._targets.items())
        ]
        text = json.dumps({"format": FORMAT, "version": VERSION, "targets": targets}, indent=1)
        path = Path(path)
        temporary = None
        try:
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            # mkstemp makes a private file; records are there to be shared.
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            raise ExportError(f"cannot write the tuning records to {path}: {error}") from None
