"""Buffers that kernels read and write."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bcr.tables import bytes_text
from bcr.vulkan.device import Device
from bcr.vulkan.driver import api, explained


class Memory:
    """A storage buffer.

    Attributes:
        size: its bytes.
        buffer: its handle.
        bytes: uint8[size], the same memory; empty if the host does not see it.
    """

    def __init__(self, device: Any, info: Device, size: int, *, shared: bool = True) -> None:
        """Allocate `size` bytes, a multiple of 16.

        Args:
            device: the handle that computes.
            info: what it is.
            size: bytes.
            shared: whether the host sees the memory too.

        Raises:
            DeviceError: the device has too little memory, or none that the host sees.
        """
        vk = api()
        self.size = size
        self._device = device
        self._shared = shared
        self._memory: Any = None
        request = vk.VkBufferCreateInfo(
            size=size,
            usage=vk.VK_BUFFER_USAGE_STORAGE_BUFFER_BIT
            | vk.VK_BUFFER_USAGE_TRANSFER_SRC_BIT
            | vk.VK_BUFFER_USAGE_TRANSFER_DST_BIT,
            sharingMode=vk.VK_SHARING_MODE_EXCLUSIVE,
        )
        with explained(f"keep {bytes_text(size)}", info.name):
            self.buffer = vk.vkCreateBuffer(device, request, None)
            try:
                self._allocate(info)
            except BaseException:
                self.free()
                raise
            mapped = vk.vkMapMemory(device, self._memory, 0, size, 0) if shared else b""
        self.bytes: npt.NDArray[np.uint8] = np.frombuffer(mapped, np.uint8)

    def _allocate(self, info: Device) -> None:
        vk = api()
        wanted = vk.vkGetBufferMemoryRequirements(self._device, self.buffer)
        kind = info.memory_type(wanted.memoryTypeBits, shared=self._shared)
        request = vk.VkMemoryAllocateInfo(allocationSize=wanted.size, memoryTypeIndex=kind)
        self._memory = vk.vkAllocateMemory(self._device, request, None)
        vk.vkBindBufferMemory(self._device, self.buffer, self._memory, 0)

    def free(self) -> None:
        """Give the memory back; `bytes` must not be used any more."""
        vk = api()
        vk.vkDestroyBuffer(self._device, self.buffer, None)
        if self._memory is not None:
            vk.vkFreeMemory(self._device, self._memory, None)
            self._memory = None
