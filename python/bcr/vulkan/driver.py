"""The package `vulkan`, the instance it opens, and what its errors mean."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from bcr.errors import DeviceError

VERSION = (1, 1, 0)
"""Of Vulkan: the first with storage buffers of 8 and 16 bits, and SPIR-V 1.3."""


@functools.cache
def api() -> Any:
    """Return the package `vulkan`, with Vulkan's functions and structures.

    Raises:
        DeviceError: it, or the loader that it opens, is not installed.
    """
    try:
        return import_module("vulkan")
    except ImportError as error:
        raise DeviceError(
            f"Vulkan needs the package vulkan, which cannot be imported ({error}): "
            "pip install 'bcr[vulkan]'"
        ) from None
    except OSError as error:
        raise DeviceError(
            f"Vulkan's loader is not installed ({error}): apt install libvulkan1, and the driver "
            "of the GPU; mesa-vulkan-drivers has several, and one for processors"
        ) from None


@functools.cache
def instance() -> Any:
    """Return the Vulkan instance of this process.

    Raises:
        DeviceError: Vulkan does not start.
    """
    vk = api()
    about = vk.VkApplicationInfo(pApplicationName="bcr", apiVersion=vk.VK_MAKE_VERSION(*VERSION))
    try:
        return vk.vkCreateInstance(vk.VkInstanceCreateInfo(pApplicationInfo=about), None)
    except vk.VkError as error:
        raise DeviceError(
            f"Vulkan does not start ({_reason(error)}): install the driver of the GPU; "
            "mesa-vulkan-drivers has several, and one for processors"
        ) from None


@contextlib.contextmanager
def explained(doing: str, device: str) -> Iterator[None]:
    """Turn an error of Vulkan into one that says what failed and what to do.

    Args:
        doing: what is done, such as "run the model".
        device: the device's name.

    Raises:
        DeviceError: what is done failed.
    """
    vk = api()
    try:
        yield
    except (vk.VkErrorOutOfDeviceMemory, vk.VkErrorOutOfHostMemory) as error:
        raise DeviceError(
            f"{device} ran out of memory when told to {doing} ({_reason(error)}): free models that "
            "are no longer needed, compile for a smaller batch, or choose another device"
        ) from None
    except (vk.VkError, vk.VkException) as error:
        raise DeviceError(f"{device} failed to {doing} ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
