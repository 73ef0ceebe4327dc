"""Arrays on disk, for data that take long to make.

They lie in the folder ``datasets`` of `bcr.cache`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcr.cache import folder

Arrays = dict[str, NDArray[Any]]


def cached(name: str, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """Return what `make` returned when it was last called with this key, or call it.

    Args:
        name: begins the name of the file.
        key: all that the arrays depend on; must be JSON.
        make: makes the arrays.

    A folder that cannot be written to costs time, not the data.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = folder("datasets") / f"{name}-{digest}.npz"
    # A file that another version or a full disk left unreadable is made anew.
    with (
        contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile),
        np.load(path, allow_pickle=False) as stored,
    ):
        return {entry: stored[entry] for entry in stored.files}
    arrays = make()
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(unfinished, path)
    return arrays
