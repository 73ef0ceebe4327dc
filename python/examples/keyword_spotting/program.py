"""The spotter as a C program, for this machine or for AArch64."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import detection
from network import LAYERS, STACK

import bcr
from bcr import audio
from bcr.errors import BCRError, ExportError
from bcr.linker import c_compiler, run_tool

HERE = Path(__file__).resolve().parent


def build(executable: bcr.Executable, words: Sequence[str], width: int, folder: Path) -> Path:
    """Export a compiled step and build `spot.c` around it; return the program.

    Args:
        executable: of `network.Step`.
        words: that it knows.
        width: units of its GRU layers.
        folder: for `libspotter.so`, its header, `constants.h` and the program.

    Raises:
        bcr.ExportError: a compiler is missing; the message names its package.
    """
    executable.export(folder, "spotter")
    (folder / "constants.h").write_text(_constants(words, width))
    shutil.copy(HERE / "spot.c", folder)
    program = folder / "spot"
    run_tool(
        [
            *c_compiler(executable.target), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
            folder / "spot.c", f"-L{folder}", "-lspotter", "-lm", "-Wl,-rpath,$ORIGIN",
            "-o", program,
        ]
    )  # fmt: skip
    return program


def run(program: Path, target: bcr.Target, wav: Path, record: Path | None = None) -> list[str]:
    """Run the program on a file, under QEMU if it is for another processor, and return its lines.

    Args:
        program: see `build`.
        target: that it was compiled for.
        wav: the sound.
        record: where to write the probabilities of all steps, float32 [T, 1 + words].

    Raises:
        bcr.ExportError: QEMU is missing.
        bcr.BCRError: the program failed; the message is its own.
    """
    command: list[str | Path] = []
    if not target.runs_here:
        emulator = f"qemu-{target.architecture}"
        if shutil.which(emulator) is None:
            raise ExportError(f"{emulator} is not installed; on Debian: apt-get install qemu-user")
        command = [emulator, "-L", f"/usr/{target.architecture}-linux-gnu"]
    command += [program, wav, *([record] if record else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BCRError(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def _constants(words: Sequence[str], width: int) -> str:
    numbers = {
        "SAMPLE_RATE": audio.SAMPLE_RATE, "SAMPLES_PER_FRAME": audio.WINDOW, "HOP": audio.HOP,
        "BANDS": audio.BANDS, "POINTS": audio.POINTS, "STACK": STACK,
        "LOWEST": audio.LOWEST, "HIGHEST": audio.HIGHEST, "FLOOR": f"{audio.FLOOR}f",
        "CLASSES": 1 + len(words), "STATE": LAYERS * width,
        "AVERAGED": detection.STEPS, "HIGH": f"{detection.HIGH}f", "LOW": f"{detection.LOW}f",
    }  # fmt: skip
    lines = [f"#define {name} {value}" for name, value in numbers.items()]
    lines.append(f"#define WORDS {{{', '.join(json.dumps(word) for word in words)}}}")
    return "\n".join(lines) + "\n"
