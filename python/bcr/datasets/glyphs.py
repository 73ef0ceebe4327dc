"""Letters and digits drawn from the fonts of the system; whole families of fonts are held out."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bcr.datasets import fonts
from bcr.datasets.cache import Arrays, cached
from bcr.datasets.dataset import Dataset
from bcr.datasets.fonts import Face
from bcr.errors import ConfigError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

CLASSES = string.ascii_uppercase + string.ascii_lowercase + string.digits
SIDE = 32
_CAPITAL = 16.0  # pixels; all characters of a face keep their relative size, "o" is not "O"
_BASELINE = 23.0  # pixels from above
_VERSION = 1  # of the way a glyph is drawn: part of the cache's key


def load_glyphs(
    *,
    seed: int = 0,
    test_share: float = 0.25,
    faces_per_family: int = 4,
    train_variants: int = 1,
    test_variants: int = 1,
    where: Sequence[Path] | None = None,
) -> Dataset:
    """Return pictures of A-Z, a-z and 0-9 in many fonts.

    Inputs are uint8 [N, 32, 32], 0 is the background; sources are families of fonts, which are
    either in training or held out as a whole. Capitals are 16 pixels high; every picture is drawn
    at its own size (0.9 to 1.1 of that), moved by up to 2 pixels in either direction.

    Args:
        seed: of the split, sizes and moves.
        test_share: part of the families to hold out, between 0 and 1.
        faces_per_family: take at most so many faces (bold, italic, ...) of a family.
        train_variants, test_variants: pictures of each character of each face.
        where: folders of fonts; default: `bcr.datasets.fonts.folders()`.

    Raises:
        ConfigError: an argument is impossible, Pillow is missing, or there are fewer than two
            families of fonts.
    """
    counts = {
        "faces_per_family": faces_per_family,
        "train_variants": train_variants,
        "test_variants": test_variants,
    }
    for name, count in counts.items():
        if count < 1:
            raise ConfigError(f"{name} is {count}: give at least 1")
    if not 0 < test_share < 1:
        raise ConfigError(f"test_share is {test_share!r}: give a number between 0 and 1")
    faces = fonts.find(CLASSES, where)
    families = sorted({face.family for face in faces})
    if len(families) < 2:
        raise ConfigError(
            f"{len(families)} families of text fonts found in {_listed(where)}: install more, such "
            "as the Debian packages fonts-dejavu-core and fonts-open-sans"
        )
    key = {
        "version": _VERSION,
        "seed": seed,
        "share": test_share,
        **counts,
        "faces": [[f.name, str(f.path), f.path.stat().st_size] for f in faces],
    }

    def make() -> Arrays:
        generator = np.random.default_rng(seed)
        order = generator.permutation(len(families))
        held_out = {families[i] for i in order[: max(1, round(test_share * len(families)))]}
        arrays: Arrays = {}
        for name, variants in (("train", train_variants), ("test", test_variants)):
            chosen = [
                face
                for family in families
                if (family in held_out) == (name == "test")
                for face in _some([f for f in faces if f.family == family], faces_per_family)
            ]
            arrays |= _draw(name, chosen, variants, generator)
        return arrays

    return Dataset.of("glyphs", CLASSES, cached("glyphs", key, make))


def _listed(where: Sequence[Path] | None) -> str:
    return ", ".join(map(str, fonts.folders() if where is None else where))


def _some(faces: list[Face], count: int) -> list[Face]:
    """At most `count` faces, spread over the list, so that not all of them are bold."""
    count = min(count, len(faces))
    return [faces[i * len(faces) // count] for i in range(count)]


def _draw(split: str, faces: list[Face], variants: int, generator: np.random.Generator) -> Arrays:
    from PIL import ImageFont

    pictures, labels, sources = [], [], []
    for face in faces:
        font = ImageFont.truetype(face.path, 16)
        for label, character in enumerate(CLASSES):
            for _ in range(variants):
                size = _CAPITAL / face.capital * generator.uniform(0.9, 1.1)
                move = generator.uniform(-2, 2, size=2)
                pictures.append(_picture(font.font_variant(size=size), character, move))
                labels.append(label)
                sources.append(face.family)
    return {
        f"{split}.inputs": np.stack(pictures),
        f"{split}.labels": np.array(labels, np.int64),
        f"{split}.sources": np.array(sources),
    }


def _picture(font: FreeTypeFont, character: str, move: np.ndarray) -> np.ndarray:
    from PIL import Image, ImageDraw

    image = Image.new("L", (SIDE, SIDE))
    place = (SIDE / 2 + float(move[0]), _BASELINE + float(move[1]))
    ImageDraw.Draw(image).text(place, character, fill=255, font=font, anchor="ms")
    return np.asarray(image)
