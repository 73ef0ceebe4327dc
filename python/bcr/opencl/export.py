"""A model for OpenCL as a C program."""

from __future__ import annotations

from pathlib import Path

from bcr.export_kernels import Api

API = Api(
    name="OpenCL",
    devices="OpenCL devices that take SPIR-V",
    include="""#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 210
#endif
#include <CL/cl.h>""",
    header="CL/cl.h",
    device="cl_device_id",
    default="the first device that takes SPIR-V",
    packages="opencl-headers ocl-icd-opencl-dev",
    host=Path(__file__).with_name("host.c"),
)
