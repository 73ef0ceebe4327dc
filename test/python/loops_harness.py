"""Layers written as IR by hand, compiled by convert-bcr-to-loops and upstream passes, and run.

Shares no code with the compiler: the packing and the meaning of a layer are NumPy, by definition.
"""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def find_tool(name: str) -> str:
    """Path of an LLVM 22 tool or of ours."""
    ours = ROOT / "build" / "bin" / name
    for candidate in (str(ours), f"/usr/lib/llvm-22/bin/{name}", f"{name}-22", name):
        if found := shutil.which(candidate):
            return found
    raise FileNotFoundError(f"{name} is missing: run tools/bootstrap first")


@dataclass
class Packed:
    """A packed matrix: groups of (rows, columns), and the dense matrix they stand for."""

    weight: np.ndarray
    groups: list[tuple[list[int], list[int]]]

    def constant(self, name: str) -> str:
        """The `bcr.constant` as text, values as hexadecimal bytes."""
        lines, rows, columns, values = [], [], [], []
        for group_rows, group_columns in self.groups:
            lines.append([len(rows), len(group_rows), len(columns), len(group_columns)])
            rows += group_rows
            columns += group_columns
            values += [self.weight[r, c] for c in group_columns for r in group_rows]
        m, k = self.weight.shape

        def dense(items: np.ndarray, shape: str, kind: str) -> str:
            if items.size == 0:
                return f"dense<> : tensor<{shape}x{kind}>"
            return f'dense<"0x{items.tobytes().hex().upper()}"> : tensor<{shape}x{kind}>'

        return (
            f"%{name} = bcr.constant {{block = array<i64: 1, 1>, "
            f"groups = {dense(np.array(lines, np.int32), f'{len(lines)}x4', 'i32')}, "
            f"rows = {dense(np.array(rows, np.int32), f'{len(rows)}', 'i32')}, "
            f"columns = {dense(np.array(columns, np.int32), f'{len(columns)}', 'i32')}, "
            f"values = {dense(np.array(values, np.float32), f'{len(values)}', 'f32')}}}"
            f" : !bcr.packed<{m}x{k}xf32>"
        )


def pack_whole(weight: np.ndarray) -> Packed:
    """One group that keeps everything."""
    m, k = weight.shape
    return Packed(weight, [(list(range(m)), list(range(k)))])


def pack_blocks(
    rng: np.random.Generator,
    m: int,
    k: int,
    block: tuple[int, int],
    keep: float,
    rows_too: bool = False,
    shuffle: bool = False,
) -> Packed:
    """Random blocks; some lose rows or all of themselves. `shuffle` permutes the rows of W."""
    weight = np.zeros((m, k), np.float32)
    groups: list[tuple[list[int], list[int]]] = []
    order = rng.permutation(m) if shuffle else np.arange(m)
    for top in range(0, m, block[0]):
        block_rows = [int(r) for r in order[top : top + block[0]]]
        lists: dict[tuple[int, ...], list[int]] = {}
        for left in range(0, k, block[1]):
            columns = np.arange(left, min(left + block[1], k))
            count = int(rng.integers(0, 3)) if rng.random() < 0.1 else None
            if count is None:
                count = max(1, round(keep * len(columns)))
            kept = sorted(int(c) for c in rng.permutation(columns)[:count])
            rows = block_rows
            if rows_too:
                drop = rng.random(len(rows)) < 0.4
                rows = [r for r, gone in zip(block_rows, drop, strict=True) if not gone]
            if rows and kept:
                lists.setdefault(tuple(rows), []).extend(kept)
        groups += [(list(rows), columns) for rows, columns in lists.items()]
    for rows, columns in groups:
        weight[np.ix_(rows, columns)] = rng.standard_normal((len(rows), len(columns)))
    return Packed(weight, groups)


@dataclass
class Layer:
    """One layer to compile and check. `image` is None for a matmul."""

    name: str
    packed: Packed
    batch: int
    schedule: str | None
    image: tuple[int, int, int] | None = None  # channels, height, width
    kernel: tuple[int, int] = (1, 1)
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = True
    residual: bool = False
    activation: str | None = None
    dynamic: bool = False
    gaps: str | None = None
    layouts: dict[str, str] = field(default_factory=dict)

    def output_shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        m = self.packed.weight.shape[0]
        if self.image is None:
            return (self.batch, m)
        sizes = []
        for i in range(2):
            padded = self.image[1 + i] + self.padding[i] + self.padding[2 + i]
            reach = self.dilations[i] * (self.kernel[i] - 1) + 1
            sizes.append((padded - reach) // self.strides[i] + 1)
        return (self.batch, m, *sizes)

    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input."""
        if self.image is None:
            return (self.batch, self.packed.weight.shape[1])
        return (self.batch, *self.image)

    def memref(self, shape: tuple[int, ...], operand: str) -> str:
        """The memref type of an operand."""
        sizes = [str(size) for size in shape]
        if self.dynamic and operand != "bias":
            sizes[0] = "?"
        layout = self.layouts.get(operand)
        return f"memref<{'x'.join(sizes)}xf32{', ' + layout if layout else ''}>"

    def function(self) -> str:
        """A function of this layer's name on memrefs."""
        m = self.packed.weight.shape[0]
        x, out = self.memref(self.input_shape(), "input"), self.memref(self.output_shape(), "out")
        bias, residual = self.memref((m,), "bias"), self.memref(self.output_shape(), "residual")
        arguments = [f"%x: {x}"]
        text = f"ins(%x : {x}) weights(%w : !bcr.packed<{m}x{self.packed.weight.shape[1]}xf32>)"
        if self.bias:
            arguments.append(f"%b: {bias}")
            text += f" bias(%b : {bias})"
        if self.residual:
            arguments.append(f"%r: {residual}")
            text += f" residual(%r : {residual})"
        arguments.append(f"%o: {out}")
        attributes = [f'layer = "{self.name}"']
        if self.image is not None:
            for key, value in (
                ("kernel", self.kernel),
                ("strides", self.strides),
                ("padding", self.padding),
                ("dilations", self.dilations),
            ):
                attributes.append(f"{key} = array<i64: {', '.join(map(str, value))}>")
            attributes.append(f"groups = {self.groups} : i64")
            if self.gaps:
                attributes.append(f"gaps = #bcr.gaps<{self.gaps}>")
        if self.activation:
            attributes.append(f"activation = #bcr.activation<{self.activation}>")
        if self.schedule:
            attributes.append(f"schedule = #bcr.schedule<{self.schedule}>")
        op = "bcr.matmul" if self.image is None else "bcr.conv2d"
        return (
            f"func.func @{self.name}({', '.join(arguments)}) "
            f"attributes {{llvm.emit_c_interface}} {{\n"
            f"  {self.packed.constant('w')}\n"
            f"  {op} {text} outs(%o : {out}) {{{', '.join(attributes)}}}\n  return\n}}\n"
        )

    def reference(
        self, x: np.ndarray, bias: np.ndarray | None, residual: np.ndarray | None
    ) -> np.ndarray:
        """The definition, in double precision. Pruned positions do not contribute."""
        out = np.zeros(self.output_shape())
        for rows, columns in self.packed.groups:
            w = self.packed.weight[np.ix_(rows, columns)].astype(np.float64)
            if self.image is None:
                out[:, rows] += x[:, columns].astype(np.float64) @ w.T
                continue
            for r, row in enumerate(rows):
                for c, column in enumerate(columns):
                    out[:, row] += w[r, c] * self.taps(x, row, column)
        shape = (1, -1) + (1,) * (out.ndim - 2)
        if bias is not None:
            out = out + bias.reshape(shape)
        if residual is not None:
            out = out + residual
        return activate(self.activation, out)

    def taps(self, x: np.ndarray, row: int, column: int) -> np.ndarray:
        """The input that column `column` of W meets at every output position of channel `row`."""
        assert self.image is not None
        height, width = self.output_shape()[2:]
        top, left, bottom, right = self.padding
        channel, rest = divmod(column, self.kernel[0] * self.kernel[1])
        i, j = divmod(rest, self.kernel[1])
        m = self.packed.weight.shape[0]
        channel += row // (m // self.groups) * (self.image[0] // self.groups)
        image = np.pad(x[:, channel].astype(np.float64), ((0, 0), (top, bottom), (left, right)))
        y0, x0 = i * self.dilations[0], j * self.dilations[1]
        return image[:, y0 :: self.strides[0], x0 :: self.strides[1]][:, :height, :width]


def activate(activation: str | None, x: np.ndarray) -> np.ndarray:
    """The activations by their definitions."""
    if activation is None:
        return x
    kind, *parameters = activation.split(",")
    a = [float(p) for p in parameters]
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    return {
        "relu": lambda: np.maximum(x, 0),
        "relu6": lambda: np.clip(x, 0, 6),
        "leaky_relu": lambda: np.where(x < 0, a[0] * x, x),
        "hardswish": lambda: x * np.clip(x + 3, 0, 6) / 6,
        "silu": lambda: x * sigmoid(x),
        "gelu": lambda: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))),
        "gelu_tanh": lambda: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "sigmoid": lambda: sigmoid(x),
        "tanh": lambda: np.tanh(x),
        "clamp": lambda: np.clip(x, a[0], a[1]),
    }[kind]()


class Function(Protocol):
    """What can be compiled: a name, and the text of a function of this name on memrefs."""

    name: str

    def function(self) -> str:
        """The function's IR."""


def compile_layers(
    layers: Sequence[Function],
    folder: Path,
    threads: int = 1,
    flags: tuple[str, ...] = ("-O1",),
    lanes: int = 4,
    by_element: bool = False,
) -> ctypes.CDLL:
    """Compiles one function a layer into a shared library for this machine and loads it.

    `lanes` are those of what has no schedule; `by_element` makes the loops that AArch64 gets.
    """
    source, lowered = folder / "layers.mlir", folder / "layers.ll"
    source.write_text("".join(layer.function() for layer in layers))
    openmp = f"bcr-lower-parallel{{threads={threads}}},canonicalize," if threads > 1 else ""
    pipeline = (
        f"builtin.module(convert-bcr-to-loops{{threads={threads} lanes={lanes} "
        f"by-element={str(by_element).lower()}}},"
        f"canonicalize,cse,{openmp}"
        "expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-math-to-libm,"
        "convert-vector-to-llvm,convert-math-to-llvm,convert-arith-to-llvm,"
        "finalize-memref-to-llvm,"
        "convert-func-to-llvm,convert-cf-to-llvm,convert-openmp-to-llvm,"
        "reconcile-unrealized-casts)"
    )
    run = [find_tool("bcr-opt"), str(source), f"--pass-pipeline={pipeline}"]
    text = subprocess.run(run, check=True, capture_output=True).stdout
    translate = [find_tool("mlir-translate"), "--mlir-to-llvmir", "-o", str(lowered)]
    subprocess.run(translate, input=text, check=True)
    library = folder / f"layers{threads}_{lanes}_{by_element}.so"
    build = [find_tool("clang"), "-x", "ir", str(lowered), *flags, "-march=native", "-shared"]
    build += ["-fPIC", "-o", str(library), "-lm"] + (["-fopenmp"] if threads > 1 else [])
    subprocess.run(build, check=True)
    return ctypes.CDLL(str(library))


def descriptor(array: np.ndarray) -> ctypes.Array[ctypes.c_int64]:
    """MLIR's memref descriptor of an array."""
    fields = [array.ctypes.data, array.ctypes.data, 0, *array.shape]
    fields += [stride // array.itemsize for stride in array.strides]
    return (ctypes.c_int64 * len(fields))(*fields)


def call(library: ctypes.CDLL, layer: Function, *arrays: np.ndarray) -> None:
    """Runs the layer's function on arrays."""
    descriptors = [descriptor(array) for array in arrays]
    getattr(library, f"_mlir_ciface_{layer.name}")(*[ctypes.byref(d) for d in descriptors])


def pitched(layer: Layer, operand: str, shape: tuple[int, ...], gap: int) -> None:
    """Gives rows of an operand `gap` elements between them, and channels a few more."""
    pitch = shape[3] + gap
    channel = shape[2] * pitch + 3
    sample = shape[1] * channel + 5
    layer.layouts[operand] = f"strided<[{sample}, {channel}, {pitch}, 1]>"


def place(
    layer: Layer, operand: str, array: np.ndarray, rest: float
) -> tuple[np.ndarray, np.ndarray]:
    """A copy of `array` in the layout of the operand, and what it is in: `rest` elsewhere."""
    layout = layer.layouts.get(operand, "")
    strides = np.array(array.strides) // array.itemsize
    if layout.startswith("strided") and "?" not in layout:
        strides = np.array([int(s) for s in layout.split("[")[1].split("]")[0].split(",")])
    size = int(strides @ (np.array(array.shape) - 1)) + 1
    whole = np.full(size + 128, rest, np.float32)
    copy = np.lib.stride_tricks.as_strided(whole[64:], array.shape, tuple(strides * 4))
    copy[...] = array
    return copy, whole


def check(
    libraries: Sequence[ctypes.CDLL], layer: Layer, x: np.ndarray, tolerance: float = 3e-6
) -> None:
    """Runs with NaN around every input, and checks that nothing else is written.

    Outputs are right to `tolerance` of the largest one, and the same bits in all libraries.
    """
    rng = np.random.default_rng(len(layer.name))
    arrays = [place(layer, "input", x, np.nan)[0]]
    bias = residual = None
    if layer.bias:
        bias = rng.standard_normal(layer.packed.weight.shape[0]).astype(np.float32)
        arrays.append(bias)
    if layer.residual:
        residual = rng.standard_normal(layer.output_shape()).astype(np.float32)
        arrays.append(place(layer, "residual", residual, np.nan)[0])
    expected = layer.reference(x, bias, residual)
    outputs = []
    for library in libraries:
        empty = np.full(layer.output_shape(), np.nan, np.float32)
        out, whole = place(layer, "out", empty, 12345)
        call(library, layer, *arrays, out)
        outputs.append(out.copy())
        out[...] = 12345
        if layer.gaps:
            width = layer.output_shape()[3]
            shape = (*layer.output_shape()[:3], out.strides[2] // 4 - width)
            gaps = np.lib.stride_tricks.as_strided(whole[64 + width :], shape, out.strides)
            np.testing.assert_array_equal(gaps, 0)
            gaps[...] = 12345
        assert np.all(whole == 12345)
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(outputs[0], expected, rtol=0, atol=tolerance * largest)
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])
