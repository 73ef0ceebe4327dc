"""The text fonts of the system: which faces can be used, and which belong together."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bcr.errors import ConfigError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

SUFFIXES = (".ttf", ".otf")
_PROBE = 64  # font size at which faces are looked at
# Letters whose capital has another shape; a face that draws the same has capitals only.
_UNLIKE = "abdeghnqrt"


@dataclass(frozen=True)
class Face:
    """One font file.

    Attributes:
        path: where it is.
        family: the first word of the family's name, or the shorter first word of a family with
            which it begins ("Beteckna" for "BetecknaGS Condensed"), so that relatives have one.
        name: family and style as the file says.
        capital: height of "H" in font sizes.
    """

    path: Path
    family: str
    name: str
    capital: float


def folders() -> list[Path]:
    """Return the folders in which fonts are looked for: the system's, then the user's."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share"
    return [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path(data) / "fonts"]


def find(characters: str, where: Sequence[Path] | None = None) -> list[Face]:
    """Return the faces that draw every character, each in its own way, in order of names.

    Left out are faces with small capitals for lower case letters, and all but the first of those
    that have the same name.

    Args:
        characters: what a face must have.
        where: folders to look in with all folders below; default: `folders()`.

    Raises:
        ConfigError: Pillow is missing.
    """
    try:
        from PIL import ImageFont
    except ImportError:
        raise ConfigError(
            "fonts are drawn with Pillow, which is not installed: pip install pillow"
        ) from None
    faces: dict[str, Face] = {}
    for path in _files(folders() if where is None else where):
        try:
            font = ImageFont.truetype(path, _PROBE)
            usable = _draws_all(font, characters)
        except OSError:  # broken, or of a kind that FreeType cannot scale
            continue
        family, style = (part or "" for part in font.getname())
        name = f"{family} {style}".strip()
        if usable and name and name not in faces:
            capital = -font.getbbox("H", anchor="ls")[1] / _PROBE
            faces[name] = Face(path, family.split()[0], name, capital)
    return _grouped(sorted(faces.values(), key=lambda face: face.name))


def _files(where: Iterable[Path]) -> list[Path]:
    return sorted(p for top in where for p in top.rglob("*") if p.suffix.lower() in SUFFIXES)


def _draws_all(font: FreeTypeFont, characters: str) -> bool:
    """Whether every character has its own picture: what is missing is drawn as the same box."""
    seen = set()
    for character in characters:
        mask = font.getmask(character)
        if 0 in mask.size:
            return False
        seen.add((mask.size, bytes(mask)))
    letters = [c for c in _UNLIKE if c in characters and c.upper() in characters]
    alike = sum(_likeness(font, c, c.upper()) > 0.85 for c in letters)
    return len(seen) == len(characters) and alike * 2 <= len(letters)


def _likeness(font: FreeTypeFont, a: str, b: str) -> float:
    """Correlation of two characters' ink, both stretched to one size."""
    return float(np.corrcoef(_stretched(font, a), _stretched(font, b))[0, 1])


def _stretched(font: FreeTypeFont, character: str) -> np.ndarray:
    mask = font.getmask(character)
    width, height = mask.size
    ink = np.frombuffer(bytes(mask), np.uint8).reshape(height, width)
    rows, columns = np.nonzero(ink.any(1))[0], np.nonzero(ink.any(0))[0]
    down = np.linspace(rows[0], rows[-1], 16).round().astype(int)
    across = np.linspace(columns[0], columns[-1], 16).round().astype(int)
    stretched: np.ndarray = ink[np.ix_(down, across)].astype(np.float64).ravel()
    return stretched


def _grouped(faces: list[Face]) -> list[Face]:
    """Give relatives the same family: the shortest name with which theirs begins."""
    names = sorted({face.family for face in faces}, key=len)
    root = {name: next(n for n in names if name.startswith(n)) for name in names}
    return [Face(f.path, root[f.family], f.name, f.capital) for f in faces]
