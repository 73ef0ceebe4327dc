"""Stages of long work, shown as they pass."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from bcr.tables import NUMBER, TEXT, render, time_text

if TYPE_CHECKING:
    from rich.status import Status


class Stages:
    """Takes the time of each stage. If `verbose`, shows the running one on a terminal and prints
    all of them as a table on stderr at the end, also if it is an error.

    `times` maps a stage to its seconds, in order.
    """

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._name: str | None = None
        self._begin = 0.0
        self._status: Status | None = None
        self.times: dict[str, float] = {}

    def __enter__(self) -> Stages:
        if self._verbose and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status("compile")
            self._status.start()
        return self

    def start(self, name: str) -> None:
        """End the running stage and begin another."""
        self._end()
        self._name, self._begin = name, time.perf_counter()
        if self._status is not None:
            self._status.update(f"compile: {name}")

    def split(self, parts: dict[str, float]) -> None:
        """End the running stage and count its time under the names of its parts.

        Args:
            parts: seconds of each part; what they leave of the stage stays under its own name.
        """
        if self._name is None:
            return
        whole = time.perf_counter() - self._begin
        rest = whole - sum(parts.values())
        name, self._name = self._name, None
        for part, seconds in parts.items():
            self.times[part] = self.times.get(part, 0.0) + seconds
        self.times[name] = self.times.get(name, 0.0) + max(rest, 0.0)

    def _end(self) -> None:
        if self._name is None:
            return
        seconds = time.perf_counter() - self._begin
        self.times[self._name] = self.times.get(self._name, 0.0) + seconds
        self._name = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        last = self._name
        self._end()
        if self._status is not None:
            self._status.stop()
        if self._verbose:
            print(self.render(failed=last if kind is not None else None), file=sys.stderr)

    def render(self, failed: str | None = None) -> str:
        """Return the stages with their times and shares as a table.

        Args:
            failed: the stage that an error ended, if one did.
        """
        total = sum(self.times.values())
        rows = [
            (name, time_text(seconds), f"{100 * seconds / total:.0f} %" if total > 0 else "")
            for name, seconds in self.times.items()
        ]
        rows.append(("total", time_text(total), ""))
        columns = [("stage", TEXT), ("time", NUMBER), ("share", NUMBER)]
        footer = f"stopped by an error in {failed}" if failed else ""
        return render("Compilation", columns, rows, footer)
