"""Tensors of a call: torch's or NumPy's, checked without importing torch."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bcr.errors import InputError
from bcr.frontend.specs import InputSpec


def is_torch(value: Any) -> bool:
    """Whether a value is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def view_tensors(values: tuple[Any, ...]) -> tuple[npt.NDArray[Any], ...] | None:
    """Return the memory of torch tensors as arrays, or None if one is anything else or has no
    memory that NumPy can view: it wants a gradient, is on a device, has a type of torch alone.
    """
    torch = sys.modules.get("torch")
    if torch is None or not values or any(type(value) is not torch.Tensor for value in values):
        return None
    try:
        return tuple(value.numpy() for value in values)
    except (RuntimeError, TypeError):
        return None


def to_tensors(arrays: list[npt.NDArray[Any]]) -> list[Any]:
    """Return torch tensors in the memory of arrays. torch has been imported."""
    return list(map(sys.modules["torch"].from_numpy, arrays))


def prepare(spec: InputSpec, value: Any) -> Any:
    """Return `value` as a contiguous CPU tensor or array of the right dtype."""
    if is_torch(value):
        if value.device.type != "cpu":
            raise InputError(f"{spec.name} is on {value.device}; move it with .cpu()")
        if value.layout is not sys.modules["torch"].strided:
            raise InputError(f"{spec.name} is sparse; make it dense with .to_dense()")
        dtype = _name(value.dtype)
        # Each of these calls takes as long as a small layer; they are rarely needed.
        if value.is_neg() or value.is_conj() or not value.is_contiguous():
            value = value.detach().resolve_neg().resolve_conj().contiguous()
    elif isinstance(value, (np.ndarray, np.generic)):
        dtype = _name(value.dtype)
        plain = isinstance(value, np.ndarray) and value.flags.c_contiguous
        if not (plain and value.flags.aligned):
            value = np.require(value, requirements=["C", "A"])
    else:
        raise InputError(
            f"{spec.name} is a {type(value).__name__}; pass a torch tensor or a NumPy array"
        )
    if dtype != spec.dtype:
        raise InputError(
            f"{spec.name} has dtype {dtype}, the model takes {spec.dtype}; convert it with "
            f"{'.to(torch.' if is_torch(value) else '.astype(np.'}{spec.dtype})"
        )
    return value


@cache
def _name(dtype: Any) -> str:
    """The name of a dtype; NumPy takes a microsecond to put one together."""
    if not getattr(dtype, "isnative", True):
        return f"{dtype.name} with its bytes in the order of another machine"
    return str(getattr(dtype, "name", dtype)).removeprefix("torch.")


def address(value: Any) -> int:
    """Return where the data of a tensor or an array begins."""
    return int(value.data_ptr() if is_torch(value) else value.ctypes.data)


def empty(shape: tuple[int, ...], dtype: str, like_torch: bool) -> Any:
    """Return a new tensor or array, uninitialised."""
    if like_torch:
        torch = sys.modules["torch"]
        return torch.empty(shape, dtype=getattr(torch, dtype))
    if dtype == "bfloat16":
        raise InputError("the result is bfloat16, which NumPy lacks; pass torch tensors")
    return np.empty(shape, dtype)
