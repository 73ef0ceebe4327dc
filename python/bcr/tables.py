"""Tables as text, for reports that people read and compare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

NUMBER = "right"
TEXT = "left"


def render(
    title: str,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str]],
    footer: str = "",
    width: int | None = None,
) -> str:
    """Return a table as plain text.

    Args:
        title: one line above the table.
        columns: header and justification (`NUMBER` or `TEXT`) of each column.
        rows: one text per column.
        footer: lines below the table.
        width: characters a line; default: as wide as the table wants to be.
    """
    from rich import box

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for header, justify in columns:
        table.add_column(header, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*row)
    console = Console(width=width or 200, color_system=None, highlight=False, markup=False)
    with console.capture() as capture:
        console.print(table)
    text = "\n".join(line.rstrip() for line in capture.get().splitlines())
    return f"{text}\n{footer}" if footer else text


def bytes_text(size: float) -> str:
    """Return a number of bytes as people write it, such as "1.4 MB" (powers of 1000)."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def time_text(seconds: float) -> str:
    """Return a duration as people write it, such as "1.42 ms"."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"
