"""A progress bar on a terminal; nothing where nobody watches."""

from __future__ import annotations

import sys
from types import TracebackType


class Bar:
    """Shows how far some steps are, what the next one is and how long the rest will take."""

    def __init__(self, title: str, total: int, shown: bool = True) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._bar = Progress(
            TextColumn(title), BarColumn(), MofNCompleteColumn(), Remaining(),
            TextColumn("{task.description}"),
            console=Console(stderr=True), disable=not (shown and sys.stderr.isatty()),
            transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=total)
        self._begun = False

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def advance(self, description: str) -> None:
        """Begin the next step; the one before is done."""
        self._bar.update(self._task, description=description, advance=int(self._begun))
        self._begun = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
