"""The `.bcr` file: one safetensors file with the code, the pool and a manifest.

The code is a shared library, or for OpenCL and Vulkan a SPIR-V module; the manifest then has the
schedule of its kernels too.

safetensors holds plain arrays and text, so reading a file never executes anything in it; the
manifest is JSON under the metadata key "bcr" and carries a digest of both arrays. The library
runs only when the loaded model is called.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bcr.errors import BCRError, ExportError, FormatError
from bcr.launches import check_schedule, schedule_from_json
from bcr.program import Constant, Program, Signature
from bcr.target import Target
from bcr.workspace import PAGE, Arena, aligned_bytes

VERSION = 2
"""2: the code takes a workspace, whose size the manifest gives."""
_INDEX_TYPES = {"i8": np.uint8, "i16": np.uint16, "i32": np.int32, "i64": np.int64}


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then move it there: all of it or nothing.

    Raises:
        ExportError: the file cannot be written; nothing is left behind.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror}") from None
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except BCRError:
        raise
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ExportError(f"cannot write {path}: {reason}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def save_program(program: Program, path: Path) -> None:
    """Write a program whose `library` is linked.

    Raises:
        ExportError: the file cannot be written; nothing is left behind.
    """
    from safetensors.numpy import save_file

    assert program.library is not None
    code = np.frombuffer(program.library, np.uint8)
    manifest = {
        "version": VERSION,
        "signature": program.signature.to_json(),
        "target": [program.target.triple, program.target.cpu, program.target.features],
        "system": platform.system(),
        "options": program.options,
        "layers": program.layers,
        "checks": program.checks,
        "arena": vars(program.arena),
        "constants": [[c.name, c.offset, c.size, c.dtype, c.bound] for c in program.constants],
        "digest": {"code": _digest(code), "pool": _digest(program.pool)},
    }
    if program.schedule is not None:
        manifest["schedule"] = [step.to_json() for step in program.schedule]
    text = json.dumps(manifest, sort_keys=True)
    tensors = {"code": code, "pool": program.pool}
    write_atomically(path, lambda to: save_file(tensors, to, metadata={"bcr": text}))


def load_program(path: Path) -> Program:
    """Read and validate a file that `save_program` wrote.

    Raises:
        FormatError: it is truncated, altered, of another version or no `.bcr` file; or an index
            array holds a value outside its bound.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FormatError(f"{path} does not exist or is not a file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = set(file.keys())
            if "bcr" not in metadata or names != {"code", "pool"}:
                raise FormatError(f"{path} is not a .bcr file; make one with Executable.save")
            code, stored = file.get_tensor("code"), file.get_tensor("pool")
    except SafetensorError as error:
        raise FormatError(
            f"{path} is not a .bcr file, or it is truncated ({error}); copy or save it again"
        ) from None
    try:
        return _program_from(path, metadata["bcr"], code, stored)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path}: the manifest is damaged ({error}); save it again") from None


def _program_from(
    path: Path, text: str, code: npt.NDArray[Any], stored: npt.NDArray[Any]
) -> Program:
    manifest = json.loads(text)
    if not isinstance(manifest, dict) or "version" not in manifest:
        raise FormatError(f"{path}: the manifest is damaged; save the model again")
    if manifest["version"] != VERSION:
        raise FormatError(
            f"{path} has format version {manifest['version']}, this bcr reads {VERSION}; "
            "compile and save the model again"
        )
    for name, array in (("code", code), ("pool", stored)):
        if array.dtype != np.uint8 or array.ndim != 1 or _digest(array) != manifest["digest"][name]:
            raise FormatError(f"{path}: the {name} was altered after saving; save the model again")
    constants = tuple(Constant(*entry) for entry in manifest["constants"])
    pool = aligned_bytes(stored.size, PAGE)
    pool[:] = stored
    for constant in constants:
        _validate_constant(path, constant, pool)
    triple, cpu, features = (str(part) for part in manifest["target"])
    signature = Signature.from_json(manifest["signature"])
    arena = Arena.from_json(manifest["arena"])
    schedule = None
    if "schedule" in manifest:
        schedule = schedule_from_json(manifest["schedule"])
        check_schedule(schedule, signature.inputs, signature.outputs, pool.size, arena.bytes)
    return Program(
        signature=signature,
        target=Target(triple, cpu, features),
        options=dict(manifest["options"]),
        layers={str(name): dict(info) for name, info in manifest["layers"].items()},
        checks=tuple(str(message) for message in manifest["checks"]),
        constants=constants,
        pool=pool,
        arena=arena,
        library=code.tobytes(),
        schedule=schedule,
    )


def _validate_constant(path: Path, constant: Constant, pool: npt.NDArray[np.uint8]) -> None:
    begin, end = constant.offset, constant.offset + constant.size
    if type(begin) is not int or type(end) is not int or not 0 <= begin <= end <= pool.size:
        raise FormatError(f"{path}: constant {constant.name} lies outside the pool")
    if constant.bound is None:
        return
    dtype = np.dtype(_INDEX_TYPES[constant.dtype])
    if constant.size % dtype.itemsize:
        raise FormatError(f"{path}: index array {constant.name} has a broken size")
    values = pool[begin:end].view(dtype)
    if values.size and not (values.min() >= 0 and values.max() < constant.bound):
        raise FormatError(
            f"{path}: index array {constant.name} reaches outside its buffer; the file was altered"
        )


def _digest(array: npt.NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
