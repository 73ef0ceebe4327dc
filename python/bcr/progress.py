"""Stages of long work, shown as they pass."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from bcr.tables import time_text


class Stages:
    """Prints each stage with its time when it ends, if `verbose`."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._name: str | None = None
        self._begin = 0.0
        self.times: dict[str, float] = {}

    def __enter__(self) -> Stages:
        return self

    def start(self, name: str) -> None:
        """End the running stage and begin another."""
        self._end()
        self._name, self._begin = name, time.perf_counter()

    def _end(self) -> None:
        if self._name is None:
            return
        seconds = time.perf_counter() - self._begin
        self.times[self._name] = seconds
        if self._verbose:
            print(f"  {self._name:14} {time_text(seconds)}", file=sys.stderr, flush=True)
        self._name = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._end()
