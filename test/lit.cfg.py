"""lit configuration: `lit test/` works from .venv once tools/bootstrap has built.

`lit --param build=DIR test/` takes the binaries from another build folder.
"""

# lit runs this file with `config` and `lit_config` defined.
# ruff: noqa: F821

import os
import shutil
import subprocess
from pathlib import Path

import lit.formats

source = Path(__file__).resolve().parent
build = Path(lit_config.params.get("build", source.parent / "build")).resolve()
if not (build / "bin" / "bcr-opt").exists():
    lit_config.fatal(f"{build}/bin/bcr-opt is missing: run tools/bootstrap first")

llvm_config = shutil.which("llvm-config-22") or "/usr/lib/llvm-22/bin/llvm-config"
llvm_tools = subprocess.check_output([llvm_config, "--bindir"], text=True).strip()

config.name = "bcr"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".td", ".test"]
config.excludes = ["python"]
config.test_source_root = str(source)
config.test_exec_root = str(build / "test")

# Ours first, then LLVM 22's FileCheck, not, llc, ... under their plain names.
config.environment["PATH"] = os.pathsep.join(
    [str(build / "bin"), llvm_tools, config.environment.get("PATH", "")]
)
config.substitutions.append(("%mlir_include", str(Path(llvm_tools).parent / "include")))
config.substitutions.append(("%mlir_lib", str(Path(llvm_tools).parent / "lib")))
config.substitutions.append(("%source", str(source.parent)))

if shutil.which("qemu-aarch64") and shutil.which("aarch64-linux-gnu-gcc"):
    config.available_features.add("aarch64-emulator")
