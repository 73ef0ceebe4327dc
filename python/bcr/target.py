"""The machine that code is made for."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from bcr.errors import ConfigError

_NAMED = {
    "host": ("", "", ""),
    "aarch64": ("aarch64-linux-gnu", "generic", ""),
    "x86-64": ("x86_64-linux-gnu", "x86-64-v3", ""),
}


@dataclass(frozen=True)
class Target:
    """The machine that code is made for.

    Attributes:
        triple: LLVM target triple, such as "aarch64-linux-gnu"; empty: this machine's.
        cpu: LLVM processor name, such as "cortex-a76"; empty: this machine's if `triple` is
            empty too, else the triple's baseline.
        features: LLVM feature string, such as "+sve,-fullfp16"; empty: what the processor has.
    """

    triple: str = ""
    cpu: str = ""
    features: str = ""

    @classmethod
    def of(cls, target: str | Target) -> Target:
        """Return the target of a name: "host", "aarch64", "x86-64".

        Raises:
            ConfigError: no target has this name.
        """
        if isinstance(target, Target):
            return target
        if isinstance(target, str) and target in _NAMED:
            return cls(*_NAMED[target])
        names = ", ".join(f'"{name}"' for name in _NAMED)
        raise ConfigError(
            f"unknown target {target!r}: use one of {names}, or bcr.Target(triple=..., cpu=...) "
            "for another machine"
        )

    @property
    def architecture(self) -> str:
        """The processor family, as `platform.machine()` names it on Linux."""
        return self.triple.split("-")[0] if self.triple else platform.machine()

    @property
    def runs_here(self) -> bool:
        """Whether this machine is of the target's processor family."""
        return self.architecture == platform.machine()
