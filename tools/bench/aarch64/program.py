"""A program for AArch64 around a compiled model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import bcr
from bcr.linker import c_compiler, run_tool

SYSROOT = Path("/usr/aarch64-linux-gnu")


def build(executable: bcr.Executable, source: str, sizes: Mapping[str, int], folder: Path) -> Path:
    """Export a model to a folder as `model` and return the program that `source` makes of it.

    Args:
        source: a C file beside this one, which includes `model.h`.
        sizes: macros that it wants.
    """
    executable.export(folder, "model")
    program = folder / Path(source).stem
    run_tool(
        [
            *c_compiler(executable.target),
            "-O1",
            *(f"-D{name}={size}" for name, size in sizes.items()),
            f"-I{folder}",
            Path(__file__).with_name(source),
            f"-L{folder}",
            "-lmodel",
            "-Wl,-rpath,$ORIGIN",
            "-o",
            program,
        ]
    )
    return program
