"""What a run of a pass pipeline gives back (made by `bcr._core`, seen through `bcr.ir`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bcr._core import Diagnostic, Remark


@dataclass(frozen=True)
class PassResult:
    """What `PassManager.run` saw.

    `snapshots` maps a pass to the module's text right after it last ran, large constants left
    out. `remarks` are the optimisation remarks in the order they came. `timings` maps a pass to
    its seconds, summed over all its runs. `diagnostics` are warnings that stopped nothing.
    """

    snapshots: dict[str, str]
    remarks: list[Remark]
    timings: dict[str, float]
    diagnostics: list[Diagnostic]
