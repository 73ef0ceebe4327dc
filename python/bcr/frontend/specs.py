"""What the front end hands over: the text, the weights, and how arguments meet tensors.

Nothing here needs torch; everything but the weights converts to and from JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Structure: TypeAlias = Any
"""A JSON value that describes nested containers, see `bcr.frontend.structure`."""

DTYPES = (
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
)
"""Element types of inputs, outputs and weights, by NumPy's names; NumPy itself lacks bfloat16."""


@dataclass(frozen=True)
class Linear:
    """A dimension of an output: `scale * symbol + offset`, where `symbol` is a dimension of an
    input that is not fixed.
    """

    symbol: str
    scale: int = 1
    offset: int = 0

    def value(self, sizes: Mapping[str, int]) -> int:
        """Return the number of elements along this dimension for given sizes of the symbols."""
        return self.scale * sizes[self.symbol] + self.offset

    def __str__(self) -> str:
        text = self.symbol if self.scale == 1 else f"{self.scale}*{self.symbol}"
        return text if self.offset == 0 else f"{text}{self.offset:+d}"


@dataclass(frozen=True)
class InputSpec:
    """One tensor argument of `@main`.

    Attributes:
        name: the parameter of `forward` it belongs to, with a number if it lies in a container.
        dtype: one of `DTYPES`.
        shape: sizes; a name stands for a size that each call chooses, see
            `ImportedModel.symbols`.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value that `from_json` reads back."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> InputSpec:
        """Rebuild what `to_json` returned."""
        return cls(value["name"], value["dtype"], tuple(value["shape"]))


@dataclass(frozen=True)
class OutputSpec:
    """One tensor result of `@main`.

    Attributes:
        name: the name of the operation that computes it.
        dtype: one of `DTYPES`.
        shape: sizes, fixed or a linear function of one symbol of the inputs.
    """

    name: str
    dtype: str
    shape: tuple[int | Linear, ...]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value that `from_json` reads back."""
        shape = [[d.symbol, d.scale, d.offset] if isinstance(d, Linear) else d for d in self.shape]
        return {"name": self.name, "dtype": self.dtype, "shape": shape}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> OutputSpec:
        """Rebuild what `to_json` returned."""
        shape = tuple(Linear(*d) if isinstance(d, list) else d for d in value["shape"])
        return cls(value["name"], value["dtype"], shape)


@dataclass(frozen=True)
class SymbolRange:
    """The sizes that a symbol may take: from `low` to `high`, both included; None: no limit."""

    low: int
    high: int | None


@dataclass(frozen=True)
class ImportedModel:
    """A model as the compiler takes it.

    Attributes:
        text: MLIR with a function `@main` from the tensors of `inputs` to those of `outputs`, in
            the dialects func, linalg, tensor, arith, math, scf and cf. A weight appears as
            `dense_resource<NAME>`. Locations name the module and the Python line: `"features.0"`.
        weights: resource name to array. The name is the parameter's or buffer's qualified name;
            a tensor that `forward` makes itself is `<module>.lifted_tensor_<n>`. Weights that
            share memory appear once, under the first name. The arrays are views of the model's own
            memory wherever that is contiguous: do not write to them. bfloat16 weights are uint16
            bit patterns and boolean ones uint8.
        inputs: the tensor arguments of `@main`, in order.
        outputs: the results of `@main`, in order, without repetition.
        in_spec: how arguments flatten to `inputs`, see `bcr.frontend.structure.bind`.
        out_spec: how the result is rebuilt from outputs, inputs that are passed through and
            constants, see `bcr.frontend.structure.unflatten`.
        symbols: the sizes that a call may choose, and their limits.
    """

    text: str
    weights: dict[str, npt.NDArray[np.generic]]
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    in_spec: Structure
    out_spec: Structure
    symbols: dict[str, SymbolRange]

    def signature(self) -> dict[str, Any]:
        """Return everything but text and weights as a JSON value."""
        return signature_to_json(self)


class HasSignature(Protocol):
    """What describes a call: an `ImportedModel` or a `bcr.program.Signature`."""

    @property
    def inputs(self) -> tuple[InputSpec, ...]: ...  # noqa: D102
    @property
    def outputs(self) -> tuple[OutputSpec, ...]: ...  # noqa: D102
    @property
    def in_spec(self) -> Structure: ...  # noqa: D102
    @property
    def out_spec(self) -> Structure: ...  # noqa: D102
    @property
    def symbols(self) -> dict[str, SymbolRange]: ...  # noqa: D102


def signature_to_json(of: HasSignature) -> dict[str, Any]:
    """Return how a call's arguments and result meet tensors as a JSON value."""
    return {
        "inputs": [spec.to_json() for spec in of.inputs],
        "outputs": [spec.to_json() for spec in of.outputs],
        "in_spec": of.in_spec,
        "out_spec": of.out_spec,
        "symbols": {name: [r.low, r.high] for name, r in of.symbols.items()},
    }
