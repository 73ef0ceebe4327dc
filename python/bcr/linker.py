"""Linking compiled code with the C compiler or linker of the target."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bcr.errors import ExportError
from bcr.target import Target

_LIBRARIES = ("-lm",)


def c_compiler(target: Target) -> list[str]:
    """Return the command of a C compiler for the target.

    Raises:
        ExportError: none is installed; the message names the package that brings one.
    """
    cross = f"{target.architecture}-linux-gnu-gcc"
    candidates = ["cc", "gcc", "clang", cross] if target.runs_here else [cross]
    for name in candidates:
        if shutil.which(name):
            return [name]
    package = (
        "gcc" if target.runs_here else f"gcc-{target.architecture.replace('_', '-')}-linux-gnu"
    )
    raise ExportError(
        f"no C compiler for {target.triple} is installed (looked for {', '.join(candidates)}); "
        f"install it, on Debian: apt-get install {package}"
    )


def run_tool(command: Sequence[str | Path]) -> None:
    """Run a build tool.

    Raises:
        ExportError: it fails; the message holds what it printed.
    """
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise ExportError(f"{command[0]} failed:\n{(done.stderr or done.stdout).strip()}")


def threading_libraries(num_threads: int) -> tuple[str, ...]:
    """Return the linker's flags for the OpenMP runtime, if the code uses it."""
    return ("-l:libomp.so.5",) if num_threads > 1 else ()


def link_flags(num_threads: int) -> list[str]:
    """Return the flags that every link of compiled code takes."""
    # Without a build id the same code links to the same bytes.
    return [
        "-Wl,--build-id=none",
        "-Wl,-z,noexecstack",
        *threading_libraries(num_threads),
        *_LIBRARIES,
    ]


def link_library(code: bytes, target: Target, num_threads: int) -> bytes:
    """Link an object file to a shared library.

    Raises:
        ExportError: the target's linker is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="bcr-") as folder:
        source, library = Path(folder, "model.o"), Path(folder, "model.so")
        source.write_bytes(code)
        run_tool([*c_compiler(target), "-shared", "-o", library, source, *link_flags(num_threads)])
        return library.read_bytes()
