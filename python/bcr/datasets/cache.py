"""Arrays on disk, for data that take long to make.

The folder is ``$BCR_CACHE/datasets``, without that variable ``datasets`` in the user's cache of
bcr, such as ``~/.cache/bcr``. Everything in it can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bcr.errors import ConfigError

Arrays = dict[str, NDArray[Any]]


def folder() -> Path:
    """Return the folder of the cache; it may not exist yet.

    Raises:
        ConfigError: platformdirs, which knows where caches are, is not installed.
    """
    own = os.environ.get("BCR_CACHE")
    if own:
        return Path(own) / "datasets"
    try:
        from platformdirs import user_cache_path
    except ImportError:
        raise ConfigError(
            "the cache is found by platformdirs, which is not installed: pip install platformdirs, "
            "or set BCR_CACHE to a folder"
        ) from None
    return user_cache_path("bcr") / "datasets"


def cached(name: str, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """Return what `make` returned when it was last called with this key, or call it.

    Args:
        name: begins the name of the file.
        key: all that the arrays depend on; must be JSON.
        make: makes the arrays.

    A folder that cannot be written to costs time, not the data.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    path = folder() / f"{name}-{digest}.npz"
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
