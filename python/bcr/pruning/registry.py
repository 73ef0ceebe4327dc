"""The pruning methods by name.

A new method is one file with a subclass of `bcr.pruning.method.Method` and one line here. The
classes are named, not imported, so that a configuration can be checked without torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bcr.pruning.method import Method

METHODS = {
    "oneshot": "bcr.pruning.oneshot:OneShot",
}


def method_class(name: str) -> type[Method]:
    """Return the class of the method `name`, a key of `METHODS`."""
    module, _, attribute = METHODS[name].partition(":")
    found: type[Method] = getattr(importlib.import_module(module), attribute)
    return found
