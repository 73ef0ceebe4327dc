"""The front end: from a PyTorch model to linalg text with its weights beside it.

`import_model` needs torch and torch-mlir; the classes that describe the result and the functions
that flatten arguments and rebuild outputs need neither, so a saved model runs without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bcr.frontend.specs import ImportedModel, InputSpec, Linear, OutputSpec, SymbolRange
from bcr.frontend.structure import bind, check, unflatten

if TYPE_CHECKING:
    from bcr.frontend.importer import import_model

__all__ = [
    "ImportedModel",
    "InputSpec",
    "Linear",
    "OutputSpec",
    "SymbolRange",
    "bind",
    "check",
    "import_model",
    "unflatten",
]


def __getattr__(name: str) -> Any:
    if name == "import_model":
        from bcr.frontend.importer import import_model

        return import_model
    raise AttributeError(f"module 'bcr.frontend' has no attribute {name!r}")
