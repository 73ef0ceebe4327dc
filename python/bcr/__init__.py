"""bcr: prune PyTorch networks block by block and compile them to fast machine code.

Importing this package imports neither torch nor the compiler: every public name is loaded
the first time it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bcr.errors import (
    BCRError,
    BCRWarning,
    CompileError,
    ConfigError,
    DeviceError,
    ExportError,
    FormatError,
    GenericTargetWarning,
    InputError,
    IRError,
    UnsupportedError,
    VerificationError,
)

if TYPE_CHECKING:
    from bcr.compiler import compile
    from bcr.executable import Executable, load
    from bcr.pruning import PruneConfig, Pruner
    from bcr.stream import Stream
    from bcr.target import Target
    from bcr.threads import get_num_threads, set_num_threads
    from bcr.tuning import LayerRecord, TuneConfig, TuningRecords

__version__ = "0.1.0"

_LAZY = {
    "PruneConfig": "bcr.pruning",
    "Pruner": "bcr.pruning",
    "Target": "bcr.target",
    "LayerRecord": "bcr.tuning",
    "TuneConfig": "bcr.tuning",
    "TuningRecords": "bcr.tuning",
    "compile": "bcr.compiler",
    "Executable": "bcr.executable",
    "Stream": "bcr.stream",
    "load": "bcr.executable",
    "get_num_threads": "bcr.threads",
    "set_num_threads": "bcr.threads",
}
_LAZY_MODULES = ("ir", "mapping", "opencl", "reference", "pruning")

__all__ = [
    "BCRError",
    "BCRWarning",
    "CompileError",
    "ConfigError",
    "DeviceError",
    "Executable",
    "ExportError",
    "FormatError",
    "GenericTargetWarning",
    "IRError",
    "InputError",
    "LayerRecord",
    "PruneConfig",
    "Pruner",
    "Stream",
    "Target",
    "TuneConfig",
    "TuningRecords",
    "UnsupportedError",
    "VerificationError",
    "__version__",
    "compile",
    "get_num_threads",
    "load",
    "set_num_threads",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    if name in _LAZY_MODULES:
        return importlib.import_module(f"bcr.{name}")
    raise AttributeError(f"module 'bcr' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_LAZY_MODULES})
