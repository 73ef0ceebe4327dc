"""The folder of what can be made again: data sets, kernels built for a device.

It is ``$BCR_CACHE``, without that variable bcr's folder in the user's cache, such as
``~/.cache/bcr``. Everything in it can be deleted at any time.
"""

from __future__ import annotations

import os
from pathlib import Path

from bcr.errors import ConfigError


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
