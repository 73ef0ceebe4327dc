"""Kernels built for a device, kept on disk so that a driver compiles them once."""

from __future__ import annotations

import contextlib
import logging
import struct
import warnings
from dataclasses import dataclass
from typing import Any

from bcr import cache
from bcr.errors import DeviceError
from bcr.opencl.device import Device
from bcr.opencl.driver import load

_MAGIC = 0x07230203
_OP_CAPABILITY = 17
_CAPABILITIES = {9: ("half precision", "fp16"), 10: ("double precision", "fp64")}
"""Capabilities that a device may lack (SPIR-V, section 3.31), and how `Device` calls them."""
_LOG = logging.getLogger("bcr.opencl")


@dataclass(frozen=True)
class Kernels:
    """A built program.

    Attributes:
        program: the `pyopencl.Program`.
        cached: whether the driver got a binary of an earlier build instead of SPIR-V.
    """

    program: Any
    cached: bool


def check_module(spirv: bytes, device: Device) -> None:
    """Check that a device can take a SPIR-V module.

    Raises:
        DeviceError: the version is newer than the device's, or it needs a precision that the
            device lacks.
    """
    words = struct.unpack(f"<{len(spirv) // 4}I", spirv[: len(spirv) // 4 * 4])
    if len(words) < 5 or words[0] != _MAGIC:
        raise DeviceError("the kernels are no SPIR-V module; compile the model again")
    version = (words[1] >> 16 & 0xFF, words[1] >> 8 & 0xFF)
    if version > max(device.spirv):
        newest = ".".join(map(str, max(device.spirv)))
        raise DeviceError(
            f"the kernels are SPIR-V {version[0]}.{version[1]}, {device.name} takes versions up to "
            f"{newest}: a newer driver may take them"
        )
    place = 5
    while place < len(words) and words[place] & 0xFFFF == _OP_CAPABILITY:
        text, attribute = _CAPABILITIES.get(words[place + 1], ("", ""))
        if attribute and not getattr(device, attribute):
            raise DeviceError(
                f"the kernels are in {text}, which {device.name} cannot: compile the model after "
                '.float() and without storage="f16", or choose another device'
            )
        place += words[place] >> 16


def build(spirv: bytes, device: Device) -> Kernels:
    """Build a SPIR-V module for a device, or take what an earlier build left on disk.

    The binary is kept in the folder "opencl" of `bcr.cache`, under a name made of the device, its
    driver and the module; a folder that cannot be written to costs time only.

    Raises:
        DeviceError: the device cannot take the module, or its compiler fails.
    """
    check_module(spirv, device)
    path = cache.file_for(
        "opencl", device.platform, device.name, device.version, device.driver, spirv
    )
    # A driver may crash on a binary that is cut off.
    binary = cache.load(path)
    if binary is not None:
        program = _build_cached(binary, device)
        if program is not None:
            _LOG.debug("kernels for %s from %s", device.name, path)
            return Kernels(program, True)
    program = _build_spirv(spirv, device)
    _LOG.debug("kernels for %s built from SPIR-V", device.name)
    with contextlib.suppress(load().Error):
        cache.store(path, bytes(program.get_info(load().program_info.BINARIES)[0]))
    return Kernels(program, False)


def _build_cached(binary: bytes, device: Device) -> Any:
    """Return the program of a binary of the cache, or None."""
    cl = load()
    try:
        return _build(cl.Program(device.context, [device.handle], [binary]))
    except cl.Error:
        return None


def _build_spirv(spirv: bytes, device: Device) -> Any:
    cl = load()
    try:
        return _build(cl.Program(device.context, spirv))
    except cl.Error as error:
        # PyOpenCL's message ends with the driver's log.
        raise DeviceError(
            f"{device.name} (driver {device.driver}) does not build the kernels; a newer driver "
            f"may, and please report this with the model:\n{str(error).strip()}"
        ) from None


def _build(program: Any) -> Any:
    with warnings.catch_warnings():
        # What a compiler says of kernels that it accepts is not for users.
        warnings.simplefilter("ignore")
        return program.build()
