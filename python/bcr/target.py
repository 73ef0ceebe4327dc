"""The machine that code is made for."""

from __future__ import annotations

import difflib
import platform
from dataclasses import dataclass

from bcr.errors import ConfigError

_AARCH64 = "aarch64-linux-gnu"
_OPENCL = "spirv64"
_VULKAN = "spirv"
_NAMED = {
    "host": ("", "", ""),
    "aarch64": (_AARCH64, "generic", ""),
    "x86-64": ("x86_64-linux-gnu", "x86-64-v3", ""),
    "opencl": (_OPENCL, "opencl", ""),
    "vulkan": (_VULKAN, "vulkan", ""),
    # LLVM schedules the loops for the processor of this name, and takes its extensions from it.
    **{
        cpu: (_AARCH64, cpu, "")
        for cpu in ("cortex-a55", "cortex-a76", "neoverse-n1", "neoverse-v1", "apple-m1")
    },
}


@dataclass(frozen=True)
class Target:
    """The machine that code is made for.

    Attributes:
        triple: LLVM target triple, such as "aarch64-linux-gnu"; empty: this machine's; "spirv64":
            kernels for OpenCL devices; "spirv": for Vulkan devices.
        cpu: LLVM processor name, such as "cortex-a76"; empty: this machine's if `triple` is
            empty too, else the triple's baseline.
        features: LLVM feature string, such as "+sve,-fullfp16"; empty: what the processor has.
    """

    triple: str = ""
    cpu: str = ""
    features: str = ""

    @classmethod
    def of(cls, target: str | Target) -> Target:
        """Return the target of a name, one of `Target.names()`.

        Raises:
            ConfigError: no target has this name.
        """
        if isinstance(target, Target):
            return target
        if isinstance(target, str) and target in _NAMED:
            return cls(*_NAMED[target])
        near = difflib.get_close_matches(str(target), _NAMED, n=1)
        guess = f'; did you mean "{near[0]}"?' if near else ""
        names = ", ".join(f'"{name}"' for name in _NAMED)
        raise ConfigError(
            f"unknown target {target!r}{guess} Use one of {names}, or "
            "bcr.Target(triple=..., cpu=...) for another machine"
        )

    @staticmethod
    def names() -> tuple[str, ...]:
        """Return the names that `of` knows: "host", families and processors."""
        return tuple(_NAMED)

    def resolve(self) -> Target:
        """Return the target with everything filled in that is left to this machine.

        Raises:
            ConfigError: the triple, the processor or a feature is unknown; the message names it
                and the nearest names that exist.
        """
        if self.api:
            return Target.of(self.api)
        from bcr import _core

        found = _core.describe_target(self.triple, self.cpu, self.features)
        return Target(found.triple, found.cpu, found.features)

    @property
    def extensions(self) -> tuple[str, ...]:
        """Those of the processor's extensions that matter to networks, as LLVM names them.

        For AArch64: "fullfp16", "dotprod", "bf16", "i8mm", "sve", "sve2". For x86-64: "avx2",
        "fma", "avx512f" and so on. They are detected on this machine, and follow from `cpu` and
        `features` for another.

        Raises:
            ConfigError: the triple, the processor or a feature is unknown.
        """
        if self.api:
            return ()
        from bcr import _core

        return tuple(_core.describe_target(self.triple, self.cpu, self.features).extensions)

    @property
    def is_generic(self) -> bool:
        """Whether the processor is a baseline that every machine of the family runs.

        Raises:
            ConfigError: the triple, the processor or a feature is unknown.
        """
        if self.api:
            # One module of kernels is for every device: the driver compiles it.
            return False
        from bcr import _core

        return _core.describe_target(self.triple, self.cpu, self.features).generic

    @property
    def api(self) -> str:
        """What takes the kernels, if the code is kernels: "opencl", "vulkan"; else ""."""
        return {_OPENCL: "opencl", _VULKAN: "vulkan"}.get(self.triple, "")

    @property
    def architecture(self) -> str:
        """The processor family, as `platform.machine()` names it on Linux."""
        return self.triple.split("-")[0] if self.triple else platform.machine()

    @property
    def runs_here(self) -> bool:
        """Whether this machine is of the target's processor family.

        Kernels count as code for this machine: whether there is a device is found when it
        is called.
        """
        return bool(self.api) or self.architecture == platform.machine()
