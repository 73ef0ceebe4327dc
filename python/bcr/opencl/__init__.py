"""Compiled models on OpenCL devices: GPUs, and processors with an OpenCL runtime.

`bcr.compile(..., target="opencl")` makes SPIR-V kernels and a schedule of their launches; this
package runs them with PyOpenCL (``pip install 'bcr[opencl]'``), and writes a C program that needs
nothing but OpenCL. `devices` lists what is there.
"""

from __future__ import annotations

from bcr.opencl.device import NO_DEVICE, Device, device_table, devices, find_device

__all__ = ["NO_DEVICE", "Device", "device_table", "devices", "find_device"]
