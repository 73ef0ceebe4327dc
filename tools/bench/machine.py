"""The measured limits of one core: multiply-adds on registers, reads from each level of memory; and
how far two cores are apart.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import CACHE

_SOURCE = Path(__file__).with_name("machine.c")
_CHAINS = 12  # as in machine.c


@dataclass(frozen=True)
class Unit:
    """The loops of machine.c for one width of vectors."""

    name: str
    lanes: int
    library: ctypes.CDLL

    def gflops(self, seconds: float = 0.01) -> float:
        """Multiply-adds on registers, two operations each, in 1e9 operations a second."""
        work = 2 * _CHAINS * self.lanes
        rounds = 100_000
        once = self.library.fma_seconds(ctypes.c_int64(rounds))
        rounds = max(1, int(rounds * seconds / once))
        return 1e-9 * rounds * work / float(self.library.fma_seconds(ctypes.c_int64(rounds)))

    def gigabytes(self, size: int, seconds: float = 0.02) -> float:
        """Reads of a buffer of `size` bytes, in 1e9 bytes a second."""
        size = size // 1024 * 1024
        # Touched, so that its pages exist, and on a boundary of 64 bytes.
        buffer = np.ones(size + 64, np.uint8)
        address = ctypes.c_void_p(-(-buffer.ctypes.data // 64) * 64)
        read = self.library.read_seconds
        read(address, ctypes.c_int64(size), ctypes.c_int64(1))
        once = read(address, ctypes.c_int64(size), ctypes.c_int64(1))
        rounds = max(1, int(seconds / max(once, 1e-7)))
        return (
            1e-9
            * size
            * rounds
            / float(read(address, ctypes.c_int64(size), ctypes.c_int64(rounds)))
        )

    def handover(self) -> float | None:
        """Seconds that a cache line takes from one processor to another, the first two that this
        process may use; None if there is one. Some 60 ns where they share a cache, 200 and more
        where not.
        """
        processors = sorted(os.sched_getaffinity(0))[:2]
        if len(processors) < 2:
            return None
        rounds = 200
        # The shortest of a few: nobody else had one of the processors in between.
        times = [
            float(self.library.handover_seconds(*processors, ctypes.c_int64(rounds)))
            for _ in range(5)
        ]
        return min(times) / (2 * rounds) if min(times) >= 0 else None


def units() -> tuple[Unit, ...]:
    """Return the vector units of this machine, the widest first."""
    if platform.machine() != "x86_64":
        return (_build("vector", 4, ()),)
    flags = Path("/proc/cpuinfo").read_text()
    found = []
    if " avx512f " in flags:
        found.append(_build("AVX-512", 16, ("-mprefer-vector-width=512",)))
    if " fma " in flags:
        found.append(_build("AVX2", 8, ("-mno-avx512f",)))
    return tuple(found)


def cache_sizes() -> dict[str, int]:
    """Bytes of the data caches that a core of this machine sees, by level."""
    sizes = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (index / "type").read_text().strip() != "Instruction":
            size = (index / "size").read_text().strip()
            factor = {"K": 1 << 10, "M": 1 << 20}[size[-1]]
            sizes[f"L{(index / 'level').read_text().strip()}"] = int(size[:-1]) * factor
    return sizes


def bandwidths(unit: Unit) -> dict[str, float]:
    """Measure reads from each level, in 1e9 bytes a second; a buffer half as large as a cache."""
    sizes = cache_sizes()
    result = {level: unit.gigabytes(size // 2) for level, size in sizes.items()}
    result["DRAM"] = unit.gigabytes(8 * max(sizes.values(), default=32 << 20))
    return result


def describe() -> dict[str, object]:
    """Return what a reader of a result must know about the machine."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "processor": model,
        "processors": os.cpu_count(),
        "usable": len(os.sched_getaffinity(0)),
        "load": list(os.getloadavg()),
        "caches": cache_sizes(),
        "kernel": platform.release(),
    }


def _build(name: str, lanes: int, flags: tuple[str, ...]) -> Unit:
    compiler = next(c for c in ("clang-22", "clang", "cc") if shutil.which(c))
    folder = CACHE / "machine"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"machine-{lanes}.so"
    if not path.exists() or path.stat().st_mtime < _SOURCE.stat().st_mtime:
        command = [compiler, "-O2", "-march=native", *flags, f"-DLANES={lanes}", "-shared", "-fPIC"]
        command.append("-pthread")
        subprocess.run([*command, _SOURCE, "-o", path], check=True)
    library = ctypes.CDLL(str(path))
    for function in (library.fma_seconds, library.read_seconds, library.handover_seconds):
        function.restype = ctypes.c_double
    return Unit(name, lanes, library)
