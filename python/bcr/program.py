"""A compiled model as data: machine code, packed weights, and how a call meets them.

Needs neither torch nor the compiler, so that a saved model loads anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bcr.errors import FormatError
from bcr.frontend.specs import InputSpec, OutputSpec, SymbolRange, signature_to_json
from bcr.frontend.structure import check
from bcr.launches import Schedule
from bcr.target import Target
from bcr.workspace import Arena


@dataclass(frozen=True)
class Signature:
    """How arguments become tensors and tensors become the result; see `bcr.frontend`."""

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    in_spec: Any
    out_spec: Any
    symbols: dict[str, SymbolRange]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value that `from_json` reads back."""
        return signature_to_json(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Signature:
        """Rebuild what `to_json` returned.

        Raises:
            FormatError: `value` does not describe a signature.
        """
        try:
            signature = cls(
                tuple(InputSpec.from_json(spec) for spec in value["inputs"]),
                tuple(OutputSpec.from_json(spec) for spec in value["outputs"]),
                value["in_spec"],
                value["out_spec"],
                {name: SymbolRange(*limits) for name, limits in value["symbols"].items()},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(
                f"the description of inputs and outputs is damaged: {error}"
            ) from None
        known = {dim for spec in signature.inputs for dim in spec.shape if isinstance(dim, str)}
        used = {
            dim.symbol for s in signature.outputs for dim in s.shape if not isinstance(dim, int)
        }
        if not used <= known or not known <= set(signature.symbols):
            raise FormatError("the description of outputs names a size that no input has")
        check(signature.in_spec, len(signature.inputs), len(signature.outputs))
        check(signature.out_spec, len(signature.inputs), len(signature.outputs))
        return signature


@dataclass(frozen=True)
class Constant:
    """One array of the pool.

    Attributes:
        name: the layer and what the array is of it, such as "features.0.values".
        offset: where it starts in the pool, bytes.
        size: bytes.
        dtype: MLIR's name of the element type, such as "f32" or "i16".
        bound: for an index array, every element is at least 0 and less than this.
    """

    name: str
    offset: int
    size: int
    dtype: str
    bound: int | None = None


@dataclass(frozen=True)
class Program:
    """A compiled model.

    Attributes:
        signature: how a call meets the code.
        target: the machine the code is for; `triple` and `cpu` are never empty.
        options: what `bcr.compile` was told: sparsity and num_threads.
        layers: what the passes said of each layer, by qualified name.
        checks: messages of the checks that can fail while running, by code, from 1.
        constants: the arrays in the pool.
        pool: uint8, aligned to `ALIGNMENT`: packed weights, indices and other constants.
        arena: the memory that a call works in.
        code: the ELF object that defines `bcr_run`, or None if only `library` is at hand.
        library: the same code as a shared library, or None until it is linked; for OpenCL and
            Vulkan the kernels, as a SPIR-V module.
        schedule: for OpenCL and Vulkan, the kernels that a call enqueues, in order; else None.
        stages: IR after the named stages, kept only in the process that compiled.
        remarks: what the passes remarked.
    """

    signature: Signature
    target: Target
    options: dict[str, Any]
    layers: dict[str, dict[str, Any]]
    checks: tuple[str, ...]
    constants: tuple[Constant, ...]
    pool: npt.NDArray[np.uint8]
    arena: Arena
    code: bytes | None = None
    library: bytes | None = None
    schedule: Schedule | None = None
    stages: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
