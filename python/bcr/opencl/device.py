"""The OpenCL devices of this machine, and the choice of one."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bcr.devices import Choice, choose_named, list_devices
from bcr.errors import ConfigError, DeviceError
from bcr.opencl.driver import explained, load, platforms
from bcr.tables import NUMBER, TEXT, bytes_text, render

NO_DEVICE = (
    "OpenCL finds no device: install the driver of the GPU, or for the processor "
    "pip install intel-opencl-rt intel-cmplr-lib-rt"
)


@dataclass(frozen=True)
class Device:
    """An OpenCL device and its limits.

    Attributes:
        index: its place among the devices of this machine, from 0.
        name, platform, version, driver: as the device says.
        kind: "cpu", "gpu" or "accelerator".
        compute_units: cores, or what the device counts as such.
        max_group: work-items of a work-group at most.
        local_bytes: memory that a work-group shares.
        global_bytes: memory of the device.
        max_allocation: bytes of one buffer at most.
        alignment: what parts of a buffer begin at multiples of, bytes.
        spirv: the versions of SPIR-V that it takes, as (major, minor); empty: none.
        sub_groups: sub-groups of a work-group at most; 0: the device has none.
        fp16, fp64: whether it computes in half or double precision.
        shares_memory: whether device and host use the same memory, so that nothing is copied.
    """

    index: int
    name: str
    platform: str
    version: str
    driver: str
    kind: str
    compute_units: int
    max_group: int
    local_bytes: int
    global_bytes: int
    max_allocation: int
    alignment: int
    spirv: tuple[tuple[int, int], ...]
    sub_groups: int
    fp16: bool
    fp64: bool
    shares_memory: bool
    handle: Any = field(default=None, compare=False, repr=False)

    @functools.cached_property
    def context(self) -> Any:
        """The OpenCL context that models on this device share."""
        cl = load()
        with explained(cl, "make a context", self.name):
            return cl.Context([self.handle])


def _describe(index: int, handle: Any) -> Device:
    def get(name: str, default: Any) -> Any:
        # An older device does not know a newer limit: it has none of it.
        try:
            return getattr(handle, name)
        except Exception:
            return default

    extensions = str(get("extensions", "")).split()
    kinds = {2: "cpu", 4: "gpu", 8: "accelerator"}
    versions = []
    for text in str(get("il_version", "")).split():
        family, _, number = text.partition("_")
        major, _, minor = number.partition(".")
        if family == "SPIR-V" and major.isdecimal() and minor.isdecimal():
            versions.append((int(major), int(minor)))
    sub_groups = int(get("max_num_sub_groups", 0) or 0)
    if not sub_groups and "cl_khr_subgroups" in extensions:
        sub_groups = 1
    return Device(
        index=index,
        name=str(handle.name).strip(),
        platform=str(handle.platform.name).strip(),
        version=str(handle.version).strip(),
        driver=str(handle.driver_version).strip(),
        kind=next((name for bit, name in kinds.items() if int(handle.type) & bit), "accelerator"),
        compute_units=int(handle.max_compute_units),
        max_group=int(handle.max_work_group_size),
        local_bytes=int(handle.local_mem_size),
        global_bytes=int(handle.global_mem_size),
        max_allocation=int(handle.max_mem_alloc_size),
        alignment=max(int(handle.mem_base_addr_align) // 8, 1),
        spirv=tuple(sorted(versions)),
        sub_groups=sub_groups,
        fp16="cl_khr_fp16" in extensions,
        fp64="cl_khr_fp64" in extensions,
        shares_memory=bool(get("host_unified_memory", False)),
        handle=handle,
    )


@functools.cache
def _devices_of(cl: Any) -> tuple[Device, ...]:
    handles = []
    for platform in platforms(cl):
        try:
            handles += platform.get_devices()
        except cl.Error as error:
            if "DEVICE_NOT_FOUND" not in str(error):
                raise DeviceError(f"{platform.name} does not list its devices: {error}") from None
    return tuple(_describe(index, handle) for index, handle in enumerate(handles))


def devices() -> tuple[Device, ...]:
    """Return the OpenCL devices of this machine; empty if there is none.

    Raises:
        DeviceError: pyopencl is not installed, or OpenCL does not start.
    """
    return _devices_of(load())


def find_device(choice: Choice = None) -> Device:
    """Return the device that a model runs on.

    Args:
        choice: the index of a device, its name or a part of its name that no other has; None: the
            only device that takes SPIR-V.

    Raises:
        ConfigError: no device, or more than one, is meant; the message lists those present.
        DeviceError: there is no OpenCL, no device, or none that takes SPIR-V.
    """
    present = devices()
    if not present:
        raise DeviceError(NO_DEVICE)
    if choice is None:
        able = [device for device in present if device.spirv]
        if not able:
            raise DeviceError(
                f"no OpenCL device of this machine takes SPIR-V ({list_devices(present)}): a newer "
                "driver may, and so does the runtime for the processor, pip install "
                "intel-opencl-rt intel-cmplr-lib-rt"
            )
        if len(able) > 1:
            raise ConfigError(
                f"this machine has several OpenCL devices ({list_devices(able)}): choose one with "
                "device=, by its name or index"
            )
        return able[0]
    device = choose_named(choice, present, "OpenCL")
    if not device.spirv:
        raise DeviceError(
            f"{device.name} ({device.version}) takes no SPIR-V: a newer driver may; or choose "
            f"another device of {list_devices(present)}"
        )
    return device


def device_table(devices: Iterable[Device]) -> str:
    """Return the devices and their limits as a table."""
    columns = [
        ("", NUMBER), ("device", TEXT), ("kind", TEXT), ("platform", TEXT), ("driver", TEXT),
        ("SPIR-V", TEXT), ("units", NUMBER), ("work-group", NUMBER), ("sub-groups", NUMBER),
        ("local", NUMBER), ("memory", NUMBER), ("shared", TEXT), ("fp16", TEXT), ("fp64", TEXT),
    ]  # fmt: skip
    rows = [
        (
            str(device.index),
            device.name,
            device.kind,
            device.platform,
            device.driver,
            f"{device.spirv[-1][0]}.{device.spirv[-1][1]}" if device.spirv else "no",
            str(device.compute_units),
            str(device.max_group),
            str(device.sub_groups) if device.sub_groups else "no",
            bytes_text(device.local_bytes),
            bytes_text(device.global_bytes),
            *("yes" if has else "no" for has in (device.shares_memory, device.fp16, device.fp64)),
        )
        for device in devices
    ]
    return render("OpenCL devices", columns, rows)
