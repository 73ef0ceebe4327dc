"""Running code for another processor under QEMU's user-mode emulation.

Emulation shows that the code is right; it says nothing about its speed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from bcr.errors import BCRError, ExportError, InputError
from bcr.executable import Executable
from bcr.linker import c_compiler, run_tool


class Emulator:
    """The example program of an exported model, run under QEMU once a call.

    Use it as a context manager: its files are removed at the end. Takes flat NumPy arrays in the
    order of `Executable.input_specs` and returns a list of arrays.
    """

    def __init__(self, executable: Executable, flags: Sequence[str] = ()) -> None:
        """Export the model and build its `main.c`.

        Args:
            executable: compiled for the processor to emulate.
            flags: more arguments for QEMU, such as `("-cpu", "cortex-a76")`.

        Raises:
            ExportError: the cross compiler or QEMU is missing, or the build fails.
        """
        self._signature = executable.program.signature
        architecture = executable.target.architecture
        emulator = shutil.which(f"qemu-{architecture}")
        if emulator is None:
            raise ExportError(
                f"qemu-{architecture} is not installed; on Debian: apt-get install qemu-user"
            )
        self._command = [emulator, "-L", f"/usr/{architecture}-linux-gnu", *flags]
        self._folder = tempfile.TemporaryDirectory(prefix="bcr-")
        try:
            folder = Path(self._folder.name)
            executable.export(folder, "model")
            run_tool(
                [
                    *c_compiler(executable.target),
                    "-O1",
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    folder / "main.c",
                    f"-L{folder}",
                    "-lmodel",
                    "-Wl,-rpath,$ORIGIN",
                    "-o",
                    folder / "main",
                ]
            )
        except BaseException:
            self._folder.cleanup()
            raise

    def __call__(self, *inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Run once.

        Raises:
            InputError: a check in the model failed; the message is the model's.
            BCRError: the program crashed.
        """
        folder = Path(self._folder.name)
        sizes: dict[str, int] = {}
        for i, (spec, array) in enumerate(zip(self._signature.inputs, inputs)):
            sizes.update(
                (dim, size) for dim, size in zip(spec.shape, array.shape) if isinstance(dim, str)
            )
            (folder / f"input{i}").write_bytes(np.ascontiguousarray(array).tobytes())
        dims = [str(sizes[name]) for name in self._signature.symbols if name in sizes]
        files = [folder / f"input{i}" for i in range(len(inputs))]
        files += [folder / f"output{i}" for i in range(len(self._signature.outputs))]
        done = subprocess.run(
            [*self._command, folder / "main", *dims, *files], capture_output=True, text=True
        )
        if done.returncode == 1:
            raise InputError(done.stderr.strip())
        if done.returncode:
            raise BCRError(f"the emulated program ended with {done.returncode}: {done.stderr}")
        results = []
        for i, output in enumerate(self._signature.outputs):
            shape = tuple(d if isinstance(d, int) else d.value(sizes) for d in output.shape)
            dtype = np.dtype("uint16" if output.dtype == "bfloat16" else output.dtype)
            raw = (folder / f"output{i}").read_bytes()
            results.append(np.frombuffer(raw, dtype).reshape(shape))
        return results

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()
