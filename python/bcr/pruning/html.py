"""An HTML page that needs no other file: a table and pictures of masks."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch

from bcr.errors import ConfigError
from bcr.pruning.picture import mask_png
from bcr.pruning.tracking import tracked

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 110em; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0 2em; }
th, td { padding: 0.25em 0.8em; text-align: left; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #888; position: sticky; top: 0; background: #fff; }
td.right, th.right { text-align: right; font-variant-numeric: tabular-nums; }
figure { display: inline-block; margin: 0 2em 2em 0; vertical-align: top; }
figcaption { margin-bottom: 0.4em; }
img { max-width: 45em; border: 1px solid #bbb; image-rendering: pixelated; }
"""


@dataclass(frozen=True)
class Picture:
    """A mask to show: bool [M, K], under a name and with a remark, and its blocks if it has any."""

    name: str
    remark: str
    mask: torch.Tensor
    block: tuple[int, int] | None


def write_page(
    path: str | Path,
    title: str,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[str]],
    pictures: Sequence[Picture],
) -> None:
    """Write the page; columns and rows are those of `bcr.tables.render`.

    Raises:
        ConfigError: Pillow is not installed, or the file cannot be written.
    """
    justify = [side for _, side in columns]
    head = "".join(f'<th class="{side}">{escape(name)}</th>' for name, side in columns)
    body = "\n".join(
        "<tr>"
        + "".join(f'<td class="{s}">{escape(cell)}</td>' for cell, s in zip(row, justify))
        + "</tr>"
        for row in rows
    )
    figures = "\n".join(_figure(picture) for picture in tracked(pictures, "draw masks"))
    page = f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head>
<body>
<h1>{escape(title)}</h1>
<table><thead><tr>{head}</tr></thead><tbody>
{body}
</tbody></table>
<p>A picture has a row for each output and a column for each weight; what is kept is dark.</p>
{figures}
</body>
</html>
"""
    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"the page cannot be written: {error}") from error


def _figure(picture: Picture) -> str:
    data = base64.b64encode(mask_png(picture.mask, picture.block)).decode()
    m, k = picture.mask.shape
    caption = f"<b>{escape(picture.name)}</b> {m} x {k}, {escape(picture.remark)}"
    image = f'<img alt="mask of {escape(picture.name)}" src="data:image/png;base64,{data}">'
    return f"<figure><figcaption>{caption}</figcaption>{image}</figure>"
