"""One virtual environment per peer, because they disagree about NumPy and protobuf."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from bench import CACHE

HERE = "bcr"
"""The environment that `bcr` itself is installed in: it has PyTorch and SciPy already."""

REQUIREMENTS: dict[str, tuple[str, ...]] = {
    # PyTorch is that of pyproject.toml: what one of them saves, the other loads.
    "export": ("torch==2.13.0", "onnx==1.23.2", "litert-torch==0.10.0", "pnnx==20261020"),
    "onnxruntime": ("onnxruntime==1.31.1",),
    "openvino": ("openvino==2026.4.1",),
    "mnn": ("MNN==3.6.1",),
    "ncnn": ("ncnn==1.0.20261020",),
    "litert": ("ai-edge-litert==2.3.0",),
    # With apache-tvm-ffi 0.1.15 MetaSchedule crashes before its first trial.
    "tvm": (
        "apache-tvm[meta-schedule,popen-pool]==0.27.0.post1",
        "apache-tvm-ffi==0.1.14.post0",
        "onnx==1.23.2",
    ),
}


def python(name: str) -> Path:
    """Return the interpreter of an environment, installing the environment if it is missing.

    Raises:
        RuntimeError: pip failed; the message holds the end of what it said.
    """
    if name == HERE:
        return Path(sys.executable)
    folder = CACHE / "environments" / name
    interpreter = folder / "bin" / "python"
    wanted = "\n".join(REQUIREMENTS[name])
    stamp = folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return interpreter
    print(f"installing {', '.join(REQUIREMENTS[name])} into {folder}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    command = [interpreter, "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", *REQUIREMENTS[name]]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"pip could not install {name}:\n{done.stdout[-2000:]}")
    stamp.write_text(wanted)
    return interpreter
