"""What `bcr.compile(..., tune=...)` is told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bcr.errors import ConfigError


@dataclass(frozen=True)
class TuneConfig:
    """How long to measure, and where the results go.

    Attributes:
        records: JSON file of tuning records: what it has is used, what is measured is added. None:
            the results serve this compilation only.
        seconds: time for measuring, in seconds; 0: use the records and measure nothing. Layers
            that take longest come first. A step that has begun is finished.
        trials: most schedules that are measured for a layer.
        seed: of the search; the same seed proposes the same schedules as long as they measure
            alike.

    Raises:
        ConfigError: a number is out of range, or nothing is asked for.
    """

    records: str | os.PathLike[str] | None = None
    seconds: float = 60.0
    trials: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low in (("seconds", 0), ("trials", 1), ("seed", 0)):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not (whole or (name == "seconds" and isinstance(value, float))) or not value >= low:
                raise ConfigError(f"TuneConfig: {name} must be at least {low}, got {value!r}")
        if self.records is None and self.seconds == 0:
            raise ConfigError("TuneConfig: seconds=0 measures nothing, so name a file of records")

    @property
    def path(self) -> Path | None:
        """The record file, if there is one."""
        return None if self.records is None else Path(self.records)

    @classmethod
    def of(cls, tune: Tune) -> TuneConfig | None:
        """Return what a value of `tune=` stands for; None where nothing is tuned.

        Raises:
            ConfigError: it stands for nothing, or names a file that does not exist.
        """
        if tune is None or isinstance(tune, TuneConfig):
            return tune
        if isinstance(tune, (int, float)) and not isinstance(tune, bool):
            return cls(seconds=tune)
        if isinstance(tune, (str, os.PathLike)):
            if not Path(tune).is_file():
                raise ConfigError(
                    f"tune={os.fspath(tune)!r}: there is no such file of records; make one with "
                    "tune=bcr.TuneConfig(records=..., seconds=...)"
                )
            return cls(records=tune, seconds=0)
        raise ConfigError(
            f"tune={tune!r}: pass a file of records, a number of seconds or a bcr.TuneConfig"
        )


Tune: TypeAlias = "TuneConfig | str | os.PathLike[str] | float | None"
"""What `tune=` takes: a configuration, a record file to use as it is, seconds, or nothing."""
