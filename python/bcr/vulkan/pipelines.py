"""Kernels as a driver compiled them, which can be kept on disk."""

from __future__ import annotations

from typing import Any

from bcr.vulkan.driver import api


class PipelineCache:
    """What a driver compiles while pipelines are made with `handle`.

    Attributes:
        handle: Vulkan's handle.
        is_new: whether it began empty.
    """

    def __init__(self, device: Any, data: bytes | None) -> None:
        """Begin with what `read` returned before, if it is at hand.

        A driver checks that data is its own and ignores it otherwise (Vulkan, 10.6).
        """
        vk = api()
        self._device = device
        self.is_new = not data
        info = vk.VkPipelineCacheCreateInfo(
            initialDataSize=len(data or b""), pInitialData=vk.ffi.from_buffer(data or b"")
        )
        self.handle = vk.vkCreatePipelineCache(device, info, None)

    def read(self) -> bytes:
        """Return all that the driver would keep; empty where it does not say."""
        vk = api()
        size = vk.ffi.new("size_t *")
        # The package makes no Python function of this one.
        read = vk.lib.vkGetPipelineCacheData
        if read(self._device, self.handle, size, vk.ffi.NULL) != vk.VK_SUCCESS:
            return b""
        data = vk.ffi.new("char[]", size[0])
        if read(self._device, self.handle, size, data) != vk.VK_SUCCESS:
            return b""
        return bytes(vk.ffi.buffer(data, size[0]))

    def free(self) -> None:
        """Give the handle back; pipelines made with it stay."""
        api().vkDestroyPipelineCache(self._device, self.handle, None)
