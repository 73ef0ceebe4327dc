"""The pruning methods by name.

A new method is one file with a subclass of `bcr.pruning.method.Method`, a dataclass of its
settings and one line here. The classes of the methods are named, not imported, so that a
configuration can be checked without torch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bcr.pruning.methods.options import (
    AdmmOptions,
    GradualOptions,
    MethodOptions,
    ReweightedOptions,
    ScratchOptions,
)

if TYPE_CHECKING:
    from bcr.pruning.method import Method


@dataclass(frozen=True)
class Entry:
    """One method: where its class is and what its settings are."""

    source: str
    options: type[MethodOptions]


METHODS = {
    "oneshot": Entry("bcr.pruning.oneshot:OneShot", MethodOptions),
    "gradual": Entry("bcr.pruning.methods.gradual:Gradual", GradualOptions),
    "admm": Entry("bcr.pruning.methods.admm:Admm", AdmmOptions),
    "reweighted": Entry("bcr.pruning.methods.reweighted:Reweighted", ReweightedOptions),
    "scratch": Entry("bcr.pruning.methods.scratch:Scratch", ScratchOptions),
}


def method_class(name: str) -> type[Method[Any]]:
    """Return the class of the method `name`, a key of `METHODS`."""
    module, _, attribute = METHODS[name].source.partition(":")
    found: type[Method[Any]] = getattr(importlib.import_module(module), attribute)
    return found
