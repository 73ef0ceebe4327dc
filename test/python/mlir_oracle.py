"""Runs an imported model with stock MLIR tools, so that only the text decides the result.

Slow code on purpose: named operations become scalar loops. It shares nothing with bcr's passes.
"""

from __future__ import annotations

import ctypes
import functools
import pathlib
import subprocess
import tempfile

import numpy as np

from bcr.frontend import ImportedModel

_PIPELINE = (
    "builtin.module(func.func(linalg-generalize-named-ops),"
    "one-shot-bufferize{bufferize-function-boundaries=1"
    " function-boundary-type-conversion=identity-layout-map},"
    "buffer-deallocation-pipeline,convert-bufferization-to-memref,"
    "func.func(convert-linalg-to-loops,llvm-request-c-wrappers),"
    "expand-strided-metadata,lower-affine,convert-scf-to-cf,"
    "func.func(math-expand-ops{ops=roundeven,tanh}),convert-math-to-llvm,convert-math-to-libm,"
    "arith-expand{include-bf16=true},convert-arith-to-llvm,finalize-memref-to-llvm,"
    "convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts)"
)


@functools.cache
def tools() -> tuple[pathlib.Path, pathlib.Path]:
    """Return the folders of LLVM's programs and libraries."""
    folders = [
        subprocess.run(["llvm-config-22", flag], check=True, capture_output=True, text=True)
        for flag in ("--bindir", "--libdir")
    ]
    return pathlib.Path(folders[0].stdout.strip()), pathlib.Path(folders[1].stdout.strip())


def parses(texts: list[str]) -> str:
    """Return mlir-opt's complaints about some modules, "" if it takes all of them."""
    return _run("mlir-opt", "--split-input-file", "-o", "/dev/null", text="// -----\n".join(texts))


def _run(program: str, *args: str, text: str = "") -> str:
    path = str(tools()[0] / program)
    return subprocess.run([path, *args], input=text, capture_output=True, text=True).stderr


def _with_values(model: ImportedModel) -> str:
    """Return the text with the weights in it, as resources; they start with their alignment."""
    alignment = (64).to_bytes(4, "little")
    values = ",\n".join(
        f'      "{name}": "0x{(alignment + np.ascontiguousarray(array).tobytes()).hex()}"'
        for name, array in model.weights.items()
    )
    if not values:
        return model.text
    return f"{model.text}{{-#\n  dialect_resources: {{ builtin: {{\n{values}\n  }} }}\n#-}}\n"


def _dtype(name: str) -> np.dtype:
    return np.dtype(np.uint16 if name == "bfloat16" else name)


@functools.cache
def _descriptor(rank: int) -> type[ctypes.Structure]:
    sizes = [("sizes", ctypes.c_int64 * rank), ("strides", ctypes.c_int64 * rank)]
    pointers = [
        ("allocated", ctypes.c_void_p),
        ("aligned", ctypes.c_void_p),
        ("offset", ctypes.c_int64),
    ]
    return type("Descriptor", (ctypes.Structure,), {"_fields_": pointers + sizes * (rank > 0)})


class Program:
    """An imported model, compiled once."""

    def __init__(self, model: ImportedModel) -> None:
        self.model = model
        with tempfile.TemporaryDirectory() as folder:
            files = [str(pathlib.Path(folder) / name) for name in ("a.mlir", "b.ll", "c.so")]
            libraries = tools()[1]
            pathlib.Path(files[0]).write_text(_with_values(model))
            lowered = f"{files[0]}.lowered"
            complaints = (
                _run("mlir-opt", files[0], f"--pass-pipeline={_PIPELINE}", "-o", lowered)
                + _run("mlir-translate", "--mlir-to-llvmir", lowered, "-o", files[1])
                + _run(
                    "clang", "-O1", "-w", "-shared", "-fPIC", files[1], "-o", files[2], "-lm",
                    f"-L{libraries}", "-lmlir_c_runner_utils", f"-Wl,-rpath,{libraries}",
                )
            )  # fmt: skip
            assert not complaints, complaints
            self._main = ctypes.CDLL(files[2])._mlir_ciface_main
        self._main.restype = None

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run on copies of some arrays and check that they stay as they are."""
        copies = [array.copy() for array in arrays]
        sizes: dict[str, int] = {}
        arguments = []
        for array, spec in zip(copies, self.model.inputs, strict=True):
            assert array.dtype == _dtype(spec.dtype)
            descriptor = _descriptor(array.ndim)()
            descriptor.allocated = descriptor.aligned = array.ctypes.data
            for i, extent in enumerate(array.shape):
                descriptor.sizes[i] = extent
                descriptor.strides[i] = array.strides[i] // array.itemsize
                if isinstance(spec.shape[i], str):
                    sizes[spec.shape[i]] = extent
            arguments.append(descriptor)
        fields = [
            (f"r{i}", _descriptor(len(spec.shape))) for i, spec in enumerate(self.model.outputs)
        ]
        results = type("Results", (ctypes.Structure,), {"_fields_": fields})()
        before = [ctypes.byref(results)] if fields else []
        self._main(*before, *(ctypes.byref(argument) for argument in arguments))
        for array, copy in zip(arrays, copies):
            assert array.tobytes() == copy.tobytes(), "an argument was changed"
        return [
            self._read(getattr(results, name), spec, sizes)
            for (name, _), spec in zip(fields, self.model.outputs)
        ]

    def _read(self, descriptor, spec, sizes: dict[str, int]) -> np.ndarray:
        dtype = _dtype(spec.dtype)
        shape = tuple(getattr(descriptor, "sizes", ()))
        strides = tuple(getattr(descriptor, "strides", ()))
        assert shape == tuple(d if isinstance(d, int) else d.value(sizes) for d in spec.shape)
        if 0 in shape:
            return np.empty(shape, dtype)
        extent = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides))
        start = descriptor.aligned + descriptor.offset * dtype.itemsize
        memory = (ctypes.c_uint8 * (extent * dtype.itemsize)).from_address(start)
        flat = np.ctypeslib.as_array(memory).view(dtype)
        steps = tuple(stride * dtype.itemsize for stride in strides)
        return np.lib.stride_tricks.as_strided(flat, shape, steps).copy()
