"""A model for Vulkan as a C program."""

from __future__ import annotations

from pathlib import Path

from bcr.export_kernels import Api

API = Api(
    name="Vulkan",
    devices="Vulkan devices",
    include="#include <vulkan/vulkan.h>",
    header="vulkan/vulkan_core.h",
    device="VkPhysicalDevice",
    default="the first GPU, or where there is none the first device",
    packages="libvulkan-dev",
    host=Path(__file__).with_name("host.c"),
)
