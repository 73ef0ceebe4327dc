"""The folder of what can be made again: data sets, kernels built for a device.

It is ``$BCR_CACHE``, without that variable bcr's folder in the user's cache, such as
``~/.cache/bcr``. Everything in it can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from bcr.container import write_atomically
from bcr.errors import BCRError, ConfigError

_DIGEST = 32


def folder(part: str) -> Path:
    """Return a folder of the cache; it may not exist yet.

    Args:
        part: what is kept there, such as "datasets".

    Raises:
        ConfigError: platformdirs, which knows where caches are, is not installed.
    """
    own = os.environ.get("BCR_CACHE")
    if own:
        return Path(own) / part
    try:
        from platformdirs import user_cache_path
    except ImportError:
        raise ConfigError(
            "the cache is found by platformdirs, which is not installed: pip install platformdirs, "
            "or set BCR_CACHE to a folder"
        ) from None
    return user_cache_path("bcr") / part


def file_for(part: str, *key: str | bytes) -> Path | None:
    """Return the file that something is kept in, or None where nothing is kept.

    Args:
        part: what is kept there, such as "opencl".
        key: all that it was made from.
    """
    digest = hashlib.sha256()
    for piece in key:
        digest.update(hashlib.sha256(piece.encode() if isinstance(piece, str) else piece).digest())
    try:
        return folder(part) / f"{digest.hexdigest()[:32]}.bin"
    except BCRError:
        return None


def load(path: Path | None) -> bytes | None:
    """Return what `store` kept in a file; None: nothing, or the file is damaged."""
    try:
        stored = path.read_bytes() if path is not None else b""
    except OSError:
        return None
    kept = stored[_DIGEST:]
    return kept if stored[:_DIGEST] == hashlib.sha256(kept).digest() else None


def store(path: Path | None, data: bytes) -> None:
    """Keep data in a file; one that cannot be written costs time only."""
    if path is None:
        return
    with contextlib.suppress(BCRError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = hashlib.sha256(data).digest() + data
        write_atomically(path, lambda to: to.write_bytes(kept))
