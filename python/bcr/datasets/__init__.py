"""Data to train on that every machine can make for itself: nothing is downloaded.

`load_digits` gives scikit-learn's handwritten digits, `load_glyphs` letters drawn from the fonts of
the system, `load_words` words spoken by espeak-ng. All come as NumPy arrays, equal for equal
arguments and equal fonts or voices; what takes long is kept in the cache (`bcr.datasets.cache`).
"""

from bcr.datasets.dataset import Dataset, Split
from bcr.datasets.digits import load_digits
from bcr.datasets.glyphs import load_glyphs
from bcr.datasets.words import load_words

__all__ = ["Dataset", "Split", "load_digits", "load_glyphs", "load_words"]
