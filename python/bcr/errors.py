"""The errors that bcr raises. Each message names the thing that is wrong and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bcr._core import Diagnostic


class BCRError(Exception):
    """Base class of every error that bcr raises on purpose."""


class ConfigError(BCRError, ValueError):
    """A configuration or an argument is impossible: the message names it and what is allowed."""


class BCRWarning(UserWarning):
    """Base class of every warning that bcr gives."""


class GenericTargetWarning(BCRWarning):
    """Code is made for a baseline that every processor of a family runs, and so is slow."""


class InputError(BCRError, ValueError):
    """The tensors handed to a compiled model do not fit it (number, shape, dtype, device)."""


class UnsupportedError(BCRError, NotImplementedError):
    """A model uses something that cannot be imported or compiled; the message lists all of it."""


class CompileError(BCRError, RuntimeError):
    """The compiler failed on a legal model; `reproducer` names a file that `bcr-opt` replays."""

    def __init__(self, message: str, reproducer: str | None = None) -> None:
        super().__init__(message)
        self.reproducer = reproducer


class VerificationError(BCRError, AssertionError):
    """Compiled and eager PyTorch outputs differ by more than the tolerance (`verify=True`)."""


class DeviceError(BCRError, RuntimeError):
    """An OpenCL or Vulkan device is not there, cannot run a model, or failed: the message says
    which device and what to do."""


class FormatError(BCRError, ValueError):
    """A `.bcr` file or a file of tuning records is truncated, altered, of another version or no
    such file at all."""


class ExportError(BCRError, OSError):
    """A file could not be written or linked; nothing half-written is left behind."""


class IRError(BCRError, RuntimeError):
    """MLIR refused a module or a pipeline; the message holds its diagnostics.

    `diagnostics` has them one by one, as `bcr.ir.Diagnostic`.
    """

    def __init__(self, message: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics = list(diagnostics)
