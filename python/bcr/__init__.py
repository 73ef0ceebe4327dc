"""bcr: prune PyTorch networks block by block and compile them to fast machine code.

Importing this package imports neither torch nor the compiler: every public name is loaded
the first time it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from bcr.lazy import lazy_names

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
    "PruneConfig": "pruning",
    "Pruner": "pruning",
    "Target": "target",
    "LayerRecord": "tuning",
    "TuneConfig": "tuning",
    "TuningRecords": "tuning",
    "compile": "compiler",
    "Executable": "executable",
    "Stream": "stream",
    "load": "executable",
    "get_num_threads": "threads",
    "set_num_threads": "threads",
}
_LAZY_MODULES = ("ir", "mapping", "opencl", "reference", "pruning", "vulkan")

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

__getattr__, __dir__ = lazy_names(globals(), _LAZY, _LAZY_MODULES)
