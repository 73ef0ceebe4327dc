"""Compiled models on Vulkan devices: GPUs, and processors through Mesa's driver for them.

`bcr.compile(..., target="vulkan")` makes the kernels of target "opencl" for Vulkan's SPIR-V; this
package runs them with the package vulkan (``pip install 'bcr[vulkan]'``). `devices` lists what is
there.
"""

from __future__ import annotations

from bcr.vulkan.device import NO_DEVICE, Device, device_table, devices, find_device

__all__ = ["NO_DEVICE", "Device", "device_table", "devices", "find_device"]
