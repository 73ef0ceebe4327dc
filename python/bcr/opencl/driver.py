"""PyOpenCL, the OpenCL runtimes it finds, and what their errors mean."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from bcr.errors import DeviceError

_VARIABLE = "OCL_ICD_VENDORS"
"""Where the loader of OpenCL looks for runtimes, instead of `_SYSTEM`."""
_SYSTEM = Path("/etc/OpenCL/vendors")
_PIP_RUNTIME = ("intel-opencl-rt", "libintelocl.so")
"""Distribution and library of Intel's runtime for processors."""
_OUT_OF_MEMORY = ("MEM_OBJECT_ALLOCATION_FAILURE", "OUT_OF_RESOURCES", "OUT_OF_HOST_MEMORY",
                  "INVALID_BUFFER_SIZE")  # fmt: skip

_lock = threading.Lock()
_searched = False


def load() -> Any:
    """Return the module `pyopencl`, once the runtimes of this machine are loaded.

    A runtime that pip installed (intel-opencl-rt) is found without any setting: the file that is
    to announce it holds a placeholder where its path should be. With OCL_ICD_VENDORS the runtimes
    are those that it names.

    Raises:
        DeviceError: pyopencl is not installed or cannot be loaded.
    """
    global _searched
    try:
        cl = import_module("pyopencl")
    except ImportError as error:
        raise DeviceError(
            f"OpenCL needs pyopencl, which cannot be imported ({error}): pip install 'bcr[opencl]'"
        ) from None
    with _lock:
        if not _searched:
            with _announced_runtimes():
                platforms(cl)
            _searched = True
    return cl


def platforms(cl: Any) -> list[Any]:
    """Return the platforms; none is no error."""
    try:
        return list(cl.get_platforms())
    except cl.Error as error:
        if "PLATFORM_NOT_FOUND" in str(error):
            return []
        raise DeviceError(f"OpenCL does not start: {error}") from None


def pip_runtime() -> Path | None:
    """Return the library of the OpenCL runtime that pip installed here, if there is one."""
    distribution, library = _PIP_RUNTIME
    with contextlib.suppress(metadata.PackageNotFoundError):
        for file in metadata.files(distribution) or ():
            if file.name == library:
                path = Path(str(file.locate())).resolve()
                return path if path.exists() else None
    return None


@contextlib.contextmanager
def _announced_runtimes() -> Iterator[None]:
    """Let the loader, which reads its folder once in a process, see the runtime of pip too."""
    runtime = None if _VARIABLE in os.environ else pip_runtime()
    if runtime is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="bcr-opencl-") as folder:
        for file in sorted(_SYSTEM.glob("*.icd")):
            shutil.copy(file, folder)
        Path(folder, "pip.icd").write_text(f"{runtime}\n")
        os.environ[_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[_VARIABLE]


@contextlib.contextmanager
def explained(cl: Any, doing: str, device: str) -> Iterator[None]:
    """Turn an error of OpenCL into one that says what failed and what to do.

    Args:
        cl: the module `pyopencl`.
        doing: what is done, such as "run the model".
        device: the device's name.

    Raises:
        DeviceError: what is done failed.
    """
    try:
        yield
    except cl.Error as error:
        reason = str(error).strip()
        if any(code in reason for code in _OUT_OF_MEMORY):
            raise DeviceError(
                f"{device} ran out of memory when told to {doing} ({reason}): free models that "
                "are no longer needed, compile for a smaller batch, or choose another device"
            ) from None
        raise DeviceError(f"{device} failed to {doing}: {reason}") from None
