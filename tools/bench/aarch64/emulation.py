"""AArch64 programs under QEMU's user mode, with their instructions counted.

QEMU says nothing about time; instructions are exact and repeatable. A Python for AArch64 is made of
Debian's packages, unpacked into a folder: neither this machine's packages nor dpkg's list of
architectures change. Peers come from their own AArch64 wheels.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from bench import CACHE
from bench.environments import REQUIREMENTS

FOLDER = CACHE / "aarch64"
DEBIAN_PACKAGES = (
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "libgomp1",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "python3.11-minimal",
    "libexpat1",
    "zlib1g",
    "libssl3",
    "libffi8",
    "libbz2-1.0",
    "liblzma5",
)
WHEELS = ("numpy==1.26.4", *REQUIREMENTS["mnn"], *REQUIREMENTS["ncnn"])
PLATFORMS = ("manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_28_aarch64")


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it printed.

    Raises:
        RuntimeError: it failed; the message holds the end of what it said.
    """
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{(done.stderr or done.stdout)[-2000:]}")
    return done


def system() -> Path:
    """Return a folder with Debian's AArch64 Python and, in `site`, the peers; made if missing.

    Raises:
        RuntimeError: a download failed.
    """
    root = FOLDER / "root"
    stamp = FOLDER / "installed.txt"
    wanted = "\n".join((*DEBIAN_PACKAGES, *WHEELS))
    if stamp.exists() and stamp.read_text() == wanted:
        return root
    print(f"installing Python and {', '.join(WHEELS)} for AArch64 into {FOLDER}", file=sys.stderr)
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name in ("lists/partial", "cache/archives/partial", "debs", "wheels"):
        (FOLDER / name).mkdir(parents=True)
    apt = ["apt-get", "-o", "APT::Architecture=arm64", "-o", "APT::Architectures=arm64"]
    apt += ["-o", f"Dir::State::lists={FOLDER / 'lists'}", "-o", f"Dir::Cache={FOLDER / 'cache'}"]
    # A list of installed packages of its own, which is empty, and no other user to download as.
    apt += ["-o", "Dir::State::status=/dev/null", "-o", "APT::Sandbox::User=root"]
    run([*apt, "-o", "Debug::NoLocking=1", "update"])
    # apt-get downloads into the current folder.
    run(["sh", "-c", 'cd "$0" && exec "$@"', FOLDER / "debs", *apt, "download", *DEBIAN_PACKAGES])
    for package in sorted((FOLDER / "debs").glob("*.deb")):
        run(["dpkg-deb", "-x", package, root])
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    pip += ["--python-version", "3.11", "--dest", str(FOLDER / "wheels")]
    for platform in PLATFORMS:
        pip += ["--platform", platform]
    run([*pip, *WHEELS])
    for wheel in sorted((FOLDER / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root / "site")
    stamp.write_text(wanted)
    return root


def _plugin() -> Path:
    """Return the plugin that counts, built if it is missing or old."""
    source = Path(__file__).with_name("count.c")
    library = CACHE / "libcount.so"
    if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
        library.parent.mkdir(parents=True, exist_ok=True)
        run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source])
    return library


def count(command: Sequence[str | Path], library_root: Path, cpu: str) -> int:
    """Return how many instructions a program executes from its first to its last.

    Args:
        command: the program and its arguments.
        library_root: where it finds its libraries.
        cpu: that QEMU emulates; programs choose their kernels by it.

    Raises:
        RuntimeError: the program failed.
    """
    emulator = ["qemu-aarch64", "-cpu", cpu, "-L", str(library_root), "-plugin", str(_plugin())]
    done = run([*emulator, *command])
    found = re.search(r"^instructions: (\d+)$", done.stderr, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"{emulator[0]} counted nothing: {done.stderr[-500:]}")
    return int(found[1])


def count_call(command: Sequence[str | Path], library_root: Path, cpu: str) -> int:
    """Return the instructions of one more call of a model; "{count}" in `command` is the calls.

    Start, loading and what the first call prepares are in both runs and cancel out.
    """

    def calls(number: int) -> int:
        filled = [str(part).replace("{count}", str(number)) for part in command]
        return count(filled, library_root, cpu)

    return calls(2) - calls(1)
