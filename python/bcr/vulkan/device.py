"""The Vulkan devices of this machine, and the choice of one."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bcr.devices import Choice, choose_named
from bcr.errors import DeviceError
from bcr.tables import NUMBER, TEXT, bytes_text, render
from bcr.vulkan.driver import VERSION, api, explained, instance

NO_DEVICE = (
    "Vulkan finds no device that computes: install the driver of the GPU; mesa-vulkan-drivers has "
    "several, and one for processors"
)

_KINDS = {1: "integrated gpu", 2: "gpu", 3: "virtual gpu", 4: "cpu"}

_FEATURES = {
    9: "Float16", 10: "Float64", 11: "Int64", 22: "Int16", 39: "Int8",
    4433: "StorageBuffer16BitAccess", 4448: "StorageBuffer8BitAccess",
}  # fmt: skip
"""Capabilities of SPIR-V, by their numbers, that a device may lack."""

_REMEDIES = dict.fromkeys(
    ("Float16", "StorageBuffer16BitAccess"), "compile without storage=, "
)  # fmt: skip


@dataclass(frozen=True)
class Device:
    """A Vulkan device that computes, and its limits.

    Attributes:
        index: its place among the devices of this machine, from 0.
        name: as the device says.
        kind: "gpu", "integrated gpu", "virtual gpu", "cpu" or "other".
        version: of Vulkan, such as "1.3.230".
        driver: the driver's version, a number of its maker's.
        max_group: work-items of a work-group at most.
        max_groups: work-groups in x, y and z at most.
        local_bytes: memory that a work-group shares.
        range_bytes: bytes of a buffer that a kernel sees at most.
        alignment: what parts of a buffer begin at multiples of, bytes.
        bindings: buffers of a kernel at most.
        nanoseconds: of a tick of the device's clock; 0: it has none.
        cache: what identifies compiled kernels of the driver, hexadecimal.
        features: capabilities of SPIR-V it has among those that a device may lack.
    """

    index: int
    name: str
    kind: str
    version: str
    driver: str
    max_group: int
    max_groups: tuple[int, int, int]
    local_bytes: int
    range_bytes: int
    alignment: int
    bindings: int
    nanoseconds: float
    cache: str
    features: frozenset[str]
    family: int = field(default=0, compare=False, repr=False)
    handle: Any = field(default=None, compare=False, repr=False)

    @property
    def has_own_memory(self) -> bool:
        """Whether what the host sees of the device's memory is slow or a small part of it."""
        return self.kind == "gpu"

    def memory_type(self, bits: int, *, shared: bool) -> int:
        """Return the type of memory, among those of the mask `bits`, to keep a buffer in.

        Args:
            bits: which types the buffer can be in.
            shared: whether the host has to see it too.

        Raises:
            DeviceError: there is none.
        """
        vk = api()
        local = vk.VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
        seen = vk.VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | vk.VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
        # The host reads what it does not cache one word at a time.
        cached = vk.VK_MEMORY_PROPERTY_HOST_CACHED_BIT
        wanted = [local, 0]
        if shared:
            wanted = [seen | cached, seen] if self.has_own_memory else [seen | local, seen]
        known = vk.vkGetPhysicalDeviceMemoryProperties(self.handle)
        for flags in wanted:
            for i in range(known.memoryTypeCount):
                if bits >> i & 1 and known.memoryTypes[i].propertyFlags & flags == flags:
                    return i
        raise DeviceError(f"{self.name} has no memory that the host sees: choose another device")

    def open(self) -> Any:
        """Return a handle to compute with: a Vulkan device with one queue and all features."""
        vk = api()
        queue = vk.VkDeviceQueueCreateInfo(queueFamilyIndex=self.family, pQueuePriorities=[1.0])
        wide = vk.VkPhysicalDeviceFeatures(
            shaderInt64="Int64" in self.features,
            shaderInt16="Int16" in self.features,
            shaderFloat64="Float64" in self.features,
        )
        chain, extensions = _small_types(lambda name: name in self.features)
        with explained("open a queue", self.name):
            return vk.vkCreateDevice(
                self.handle,
                vk.VkDeviceCreateInfo(
                    pNext=chain,
                    pQueueCreateInfos=[queue],
                    ppEnabledExtensionNames=[
                        name for name in extensions if name in _extensions(self.handle)
                    ],
                    pEnabledFeatures=wide,
                ),
                None,
            )

    def check_kernels(self, spirv: bytes) -> None:
        """Check that the device has what the kernels declare to need.

        Raises:
            DeviceError: it has not; the message names it.
        """
        missing = sorted(
            name
            for number, name in _FEATURES.items()
            if number in _capabilities(spirv) and name not in self.features
        )
        if missing:
            raise DeviceError(
                f"{self.name} lacks what the kernels need ({', '.join(missing)}): "
                f"{_REMEDIES.get(missing[0], '')}choose another device, or another target"
            )


def _capabilities(spirv: bytes) -> set[int]:
    """Return the numbers of the capabilities that a module declares, which are what it begins
    with (SPIR-V, section 2.4)."""
    words = np.frombuffer(spirv, np.uint32)
    found, at = set(), 5
    while at < len(words) and words[at] & 0xFFFF == 17:
        found.add(int(words[at + 1]))
        at += int(words[at]) >> 16
    return found


def _extensions(handle: Any) -> set[str]:
    vk = api()
    return {e.extensionName for e in vk.vkEnumerateDeviceExtensionProperties(handle, None)}


def _small_types(has: Any) -> tuple[Any, tuple[str, ...]]:
    """Return the structures that ask for, or are filled with, features of 8 and 16 bits, and the
    extensions they belong to."""
    vk = api()
    arithmetic = vk.VkPhysicalDeviceShaderFloat16Int8Features(
        shaderFloat16=has("Float16"), shaderInt8=has("Int8")
    )
    bytes_ = vk.VkPhysicalDevice8BitStorageFeatures(
        pNext=arithmetic, storageBuffer8BitAccess=has("StorageBuffer8BitAccess")
    )
    halves = vk.VkPhysicalDevice16BitStorageFeatures(
        pNext=bytes_, storageBuffer16BitAccess=has("StorageBuffer16BitAccess")
    )
    return halves, ("VK_KHR_shader_float16_int8", "VK_KHR_8bit_storage")


def _features(handle: Any) -> frozenset[str]:
    """Return which of `_FEATURES` the device has."""
    vk = api()
    halves, extensions = _small_types(lambda _: False)
    if not _extensions(handle).issuperset(extensions):
        return frozenset()
    asked = vk.VkPhysicalDeviceFeatures2(pNext=halves)
    vk.vkGetPhysicalDeviceFeatures2(handle, asked)
    bytes_ = vk.ffi.cast("VkPhysicalDevice8BitStorageFeatures *", halves.pNext)
    arithmetic = vk.ffi.cast("VkPhysicalDeviceShaderFloat16Int8Features *", bytes_.pNext)
    known = {
        "Float16": arithmetic.shaderFloat16,
        "Int8": arithmetic.shaderInt8,
        "Float64": asked.features.shaderFloat64,
        "Int64": asked.features.shaderInt64,
        "Int16": asked.features.shaderInt16,
        "StorageBuffer16BitAccess": halves.storageBuffer16BitAccess,
        "StorageBuffer8BitAccess": bytes_.storageBuffer8BitAccess,
    }
    return frozenset(name for name, has in known.items() if has)


def _version(number: int) -> str:
    return f"{number >> 22 & 0x7F}.{number >> 12 & 0x3FF}.{number & 0xFFF}"


def _describe(index: int, handle: Any, family: int, clock_bits: int) -> Device:
    properties = api().vkGetPhysicalDeviceProperties(handle)
    limits = properties.limits
    x, y, z = limits.maxComputeWorkGroupCount
    return Device(
        index=index,
        name=str(properties.deviceName),
        kind=_KINDS.get(properties.deviceType, "other"),
        version=_version(properties.apiVersion),
        driver=str(properties.driverVersion),
        max_group=limits.maxComputeWorkGroupInvocations,
        max_groups=(x, y, z),
        local_bytes=limits.maxComputeSharedMemorySize,
        range_bytes=limits.maxStorageBufferRange,
        alignment=limits.minStorageBufferOffsetAlignment,
        bindings=limits.maxPerStageDescriptorStorageBuffers,
        nanoseconds=limits.timestampPeriod if clock_bits else 0.0,
        cache=bytes(properties.pipelineCacheUUID).hex(),
        features=_features(handle),
        family=family,
        handle=handle,
    )


@functools.cache
def devices() -> tuple[Device, ...]:
    """Return the Vulkan devices of this machine that compute; empty if there is none.

    Raises:
        DeviceError: the package vulkan or its loader is not installed, or Vulkan does not start.
    """
    vk = api()
    wanted = vk.VK_MAKE_VERSION(*VERSION)
    found: list[Device] = []
    opened = instance()
    with explained("list the devices", "Vulkan"):
        handles = vk.vkEnumeratePhysicalDevices(opened)
    for handle in handles:
        if vk.vkGetPhysicalDeviceProperties(handle).apiVersion < wanted:
            continue
        for family, queues in enumerate(vk.vkGetPhysicalDeviceQueueFamilyProperties(handle)):
            if queues.queueFlags & vk.VK_QUEUE_COMPUTE_BIT:
                bits = queues.timestampValidBits
                found.append(_describe(len(found), handle, family, bits))
                break
    return tuple(found)


def find_device(choice: Choice = None) -> Device:
    """Return the device that a model runs on.

    Args:
        choice: the index of a device, its name or a part of its name that no other has; None: the
            first GPU, or where there is none the first device.

    Raises:
        ConfigError: no device, or more than one, is meant; the message lists those present.
        DeviceError: there is no Vulkan, or no device.
    """
    present = devices()
    if not present:
        raise DeviceError(NO_DEVICE)
    if choice is not None:
        return choose_named(choice, present, "Vulkan")
    return next((device for device in present if device.kind.endswith("gpu")), present[0])


def device_table(devices: Iterable[Device]) -> str:
    """Return the devices and their limits as a table."""
    columns = [
        ("", NUMBER), ("device", TEXT), ("kind", TEXT), ("Vulkan", TEXT), ("work-group", NUMBER),
        ("local", NUMBER), ("of a buffer", NUMBER), ("buffers", NUMBER), ("clock", TEXT),
        ("8 bits", TEXT), ("16 bits", TEXT),
    ]  # fmt: skip
    rows = [
        (
            str(device.index),
            device.name,
            device.kind,
            device.version,
            str(device.max_group),
            bytes_text(device.local_bytes),
            bytes_text(device.range_bytes),
            str(device.bindings),
            "yes" if device.nanoseconds else "no",
            *(
                "yes" if f"StorageBuffer{bits}BitAccess" in device.features else "no"
                for bits in (8, 16)
            ),
        )
        for device in devices
    ]
    return render("Vulkan devices", columns, rows)
