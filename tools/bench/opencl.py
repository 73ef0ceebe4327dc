"""Time models on an OpenCL device: sparse against dense, against CLBlast, against our CPU target.

    .venv/bin/python tools/bench/opencl.py layers [--rate 8] [--rounds 7] [--only TEXT]
    .venv/bin/python tools/bench/opencl.py traffic [--rate 8] [--only TEXT]
    .venv/bin/python tools/bench/opencl.py networks [NETWORK ...]

`layers` compares convolutions and linear layers: ours pruned, ours dense, and dense by CLBlast
(Debian: libclblast-dev), as im2col and a product of matrices on the same device. Times are the
device's own and have the copies in them that our kernels need; "copies" says how much they are of
the sparse time. A convolution stands between two others, so that its input and result lie as they
do in a network. A linear layer alone reads the network's input and writes its result, in rows of
features, so that all copies it can need are there; three in a row share them. CLBlast's times are
those of the product and, apart, of im2col. CLBlast is not tuned for the device. The CPU target
runs on as many threads as the device has compute units. `networks`
times whole calls. `traffic` times nothing and needs neither device nor CLBlast: it prints what the
same layers compute for each byte that they read and write, as `Executable.report()` counts it.

TVM is not there: its wheel (apache-tvm 0.27.0.post1) is built without OpenCL
(`tvm.support.libinfo()["USE_OPENCL"]` is OFF).
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import nn

import bcr
import bcr.models
from bcr.compiler import relative_error
from bcr.devices import parse_choice
from bcr.opencl.driver import load
from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text
from bench.case import Case, make_model
from bench.realtime import real_time

BOUND = 1e-4
"""Largest accepted difference from PyTorch, relative to the largest output."""

ROW_MAJOR, NO, YES, CROSS_CORRELATION = 101, 111, 112, 151
"""CLBlast's names for how matrices lie and what im2col is for."""

NETWORKS = {"resnet50": (8.0, (8, 64)), "mobilenet_v2": (4.0, (8, 16))}


@dataclass(frozen=True)
class Shape:
    """A convolution: channels, kernel, stride, and height and width of the input."""

    inputs: int
    outputs: int
    kernel: int
    size: int
    stride: int = 1

    def __str__(self) -> str:
        text = f"{self.kernel}x{self.kernel} {self.inputs}-{self.outputs} {self.size}x{self.size}"
        return f"{text} /{self.stride}" if self.stride > 1 else text

    @property
    def padding(self) -> int:
        """Zeros at each edge."""
        return self.kernel // 2

    @property
    def result(self) -> int:
        """Height and width of the output."""
        return (self.size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def flops(self) -> int:
        """Multiplications and additions of the dense layer."""
        columns = self.inputs * self.kernel**2
        return 2 * self.outputs * columns * self.result**2


@dataclass(frozen=True)
class Linear:
    """Linear layers of one size in a row, with a ReLU between each two."""

    features: int
    samples: int
    count: int = 1

    def __str__(self) -> str:
        text = f"linear {self.features}, {self.samples} samples"
        return text if self.count == 1 else f"{self.count} x {text}"

    @property
    def flops(self) -> int:
        """Multiplications and additions of the dense layers."""
        return 2 * self.features**2 * self.samples * self.count


SHAPES = (
    Shape(64, 64, 3, 56),
    Shape(128, 128, 3, 28),
    Shape(256, 256, 3, 14),
    Shape(512, 512, 3, 7),
    Shape(256, 256, 3, 28),
    Shape(512, 512, 3, 28),
    Shape(128, 256, 3, 28, 2),
    Shape(256, 64, 1, 56),
    Shape(1024, 256, 1, 14),
    Shape(512, 2048, 1, 7),
    Linear(1024, 16),
    Linear(1024, 64),
    Linear(1024, 256),
    Linear(1024, 64, 3),
    Linear(1024, 256, 3),
)
"""Convolutions of ResNet-18, ResNet-50 and VGG-16; and linear layers."""


@dataclass(frozen=True)
class LayerResult:
    """Seconds of one layer on each; `im2col` is a part of what CLBlast needs for a convolution.

    `copies` is a part of `sparse`.
    """

    name: str
    gflop: float
    sparse: float
    copies: float
    dense: float
    clblast: float
    im2col: float
    cpu: float
    error: float


class CLBlast:
    """The library, on the queue of a device."""

    def __init__(self, device: Any) -> None:
        path = ctypes.util.find_library("clblast")
        if path is None:
            raise SystemExit("CLBlast is not installed: apt-get install libclblast-dev")
        self.library = ctypes.CDLL(path)
        self.cl = load()
        self.device = device
        properties = self.cl.command_queue_properties.PROFILING_ENABLE
        self.queue = self.cl.CommandQueue(device.context, device.handle, properties=properties)

    def call(self, name: str, *arguments: Any) -> None:
        """Enqueue a function of CLBlast."""
        queue = ctypes.c_void_p(self.queue.int_ptr)
        code = getattr(self.library, name)(*arguments, ctypes.byref(queue), None)
        if code:
            raise RuntimeError(f"{name}: CLBlast's error {code}")

    def seconds(self, run: Callable[[], None], repeats: int) -> float:
        """The device's time from the first to the last kernel that `run` enqueues, median."""
        times = []
        for _ in range(repeats + 2):
            begin = self.cl.enqueue_marker(self.queue)
            run()
            end = self.cl.enqueue_marker(self.queue)
            self.queue.finish()
            times.append((end.profile.end - begin.profile.end) * 1e-9)
        return statistics.median(times[2:])

    def memory(self, array: np.ndarray) -> Any:
        """Return a buffer of the device with an array in it."""
        flags = self.cl.mem_flags.COPY_HOST_PTR
        return self.cl.Buffer(self.device.context, flags, hostbuf=array)

    def product(
        self,
        left: Any,
        right: Any,
        sizes: tuple[int, int, int],
        repeats: int,
        transposed: bool = False,
    ) -> tuple[np.ndarray, float]:
        """Return left[M, K] by right[K, N], or right[N, K] transposed, and the seconds it takes."""
        m, n, k = sizes
        y = np.empty((m, n), np.float32)
        result = self.cl.Buffer(self.device.context, self.cl.mem_flags.READ_WRITE, y.nbytes)
        size = ctypes.c_size_t

        def multiply() -> None:
            self.call(
                "CLBlastSgemm", ROW_MAJOR, NO, YES if transposed else NO,
                size(m), size(n), size(k), ctypes.c_float(1),
                ctypes.c_void_p(left.int_ptr), size(0), size(k),
                ctypes.c_void_p(right.int_ptr), size(0), size(k if transposed else n),
                ctypes.c_float(0), ctypes.c_void_p(result.int_ptr), size(0), size(n),
            )  # fmt: skip

        seconds = self.seconds(multiply, repeats)
        self.cl.enqueue_copy(self.queue, y, result)
        return y, seconds

    def convolution(
        self, shape: Shape, weight: np.ndarray, x: np.ndarray, repeats: int
    ) -> tuple[np.ndarray, float, float]:
        """Return the output and the seconds of the product and of im2col."""
        columns, pixels = shape.inputs * shape.kernel**2, shape.result**2
        images, im2col = self.memory(x), 0.0
        size = ctypes.c_size_t
        if shape.kernel > 1 or shape.stride > 1:
            flags = self.cl.mem_flags.READ_WRITE
            patches = self.cl.Buffer(self.device.context, flags, 4 * columns * pixels)

            def unfold() -> None:
                pairs = (shape.size, shape.kernel, shape.padding, shape.stride, 1)
                self.call(
                    "CLBlastSim2col", CROSS_CORRELATION, size(shape.inputs),
                    *(size(value) for value in pairs for _ in range(2)),
                    ctypes.c_void_p(images.int_ptr), size(0),
                    ctypes.c_void_p(patches.int_ptr), size(0),
                )  # fmt: skip

            im2col = self.seconds(unfold, repeats)
            images = patches
        sizes = (shape.outputs, pixels, columns)
        y, product = self.product(self.memory(weight), images, sizes, repeats)
        return y, product, im2col

    def layers(
        self, shape: Shape | Linear, model: nn.Sequential, x: torch.Tensor, repeats: int
    ) -> tuple[float, float, float]:
        """Return the seconds of products and im2col of the layers "1", and the largest error."""
        image = model[0](x)
        if isinstance(shape, Shape):
            y, product, im2col = self.convolution(
                shape, model[1].weight.numpy(), image.numpy(), repeats
            )
            features = model[1](image).numpy()
            return product, im2col, relative_error(y.reshape(features.shape), features)
        total, errors = 0.0, []
        for layer in model[1]:
            features = layer(image)
            if isinstance(layer, nn.Linear):
                sizes = (shape.samples, shape.features, shape.features)
                left, right = self.memory(image.numpy()), self.memory(layer.weight.numpy())
                y, seconds = self.product(left, right, sizes, repeats, transposed=True)
                errors.append(relative_error(y, features.numpy()))
                total += seconds
            image = features
        return total, 0.0, max(errors)


COPIES = (".padding", ".phases", ".transpose", ".transpose_back")
"""How the kernels end that copy what a layer reads or writes."""


def layer_seconds(exe: Any, x: torch.Tensor, repeats: int) -> tuple[float, float]:
    """The seconds of the layers "1" of a model, with copies, and of these alone."""
    rows = exe.profile(x, repeats=repeats).layers
    rows = [row for row in rows if row.name == "1" or row.name.startswith("1.")]
    copies = sum(row.seconds for row in rows if row.name.endswith(COPIES))
    return sum(row.seconds for row in rows), copies


def wall(run: Callable[[], object], repeats: int) -> float:
    """The median of some calls."""
    times = []
    for _ in range(repeats + 2):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def make_layer(
    shape: Shape | Linear, options: argparse.Namespace
) -> tuple[nn.Sequential, torch.Tensor]:
    """Return a model whose layers "1" are pruned, and an input."""
    torch.manual_seed(0)
    config = bcr.PruneConfig(options.rate, tuple(options.block), scheme=options.scheme)
    if isinstance(shape, Linear):
        layers: list[nn.Module] = []
        for _ in range(shape.count):
            layers += [nn.Linear(shape.features, shape.features, bias=False), nn.ReLU()]
        pruned = nn.Sequential(*layers[:-1]).eval()
        bcr.Pruner(pruned, config).finalize()
        return nn.Sequential(nn.Identity(), pruned), torch.randn(shape.samples, shape.features)
    conv = nn.Conv2d(
        shape.inputs, shape.outputs, shape.kernel, shape.stride, shape.padding, bias=False
    ).eval()
    bcr.Pruner(conv, config).finalize()
    # Neighbours, as in a network, so that the layer's input and result lie as they would there.
    model = nn.Sequential(nn.Conv2d(4, shape.inputs, 1), conv, nn.Conv2d(shape.outputs, 4, 1))
    return model, torch.randn(1, 4, shape.size, shape.size)


def measure_layer(
    shape: Shape | Linear, clblast: CLBlast, options: argparse.Namespace
) -> LayerResult:
    """Compile one layer in all ways, compare with PyTorch, and time it."""
    model, x = make_layer(shape, options)
    expected = model(x).numpy()
    exes = {
        mode: bcr.compile(model, (x,), target="opencl", device=options.device, sparsity=mode)
        for mode in ("force", "off")
    }
    exes["cpu"] = bcr.compile(
        model, (x,), sparsity="force", num_threads=clblast.device.compute_units
    )
    errors = [relative_error(exe(x).numpy(), expected) for exe in exes.values()]
    seconds: dict[str, list[float]] = {}
    with real_time(options.real_time):
        for _ in range(options.rounds):
            for mode, exe in exes.items():
                total, copies = layer_seconds(exe, x, 5)
                seconds.setdefault(mode, []).append(total)
                seconds.setdefault(f"{mode} copies", []).append(copies)
            product, im2col, error = clblast.layers(shape, model, x, 3)
            seconds.setdefault("clblast", []).append(product)
            seconds.setdefault("im2col", []).append(im2col)
    errors.append(error)
    if not max(errors) < BOUND:
        raise SystemExit(
            f"{shape}: differs from PyTorch by {errors} (ours sparse, dense, CPU, CLBlast)"
        )
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return LayerResult(
        str(shape), shape.flops / 1e9, medians["force"], medians["force copies"], medians["off"],
        medians["clblast"], medians["im2col"], medians["cpu"], max(errors),
    )  # fmt: skip


def layer_table(results: list[LayerResult], options: argparse.Namespace, device: Any) -> str:
    """Return one row for each layer."""
    columns = [("layer", TEXT), ("sparse", NUMBER), ("copies", NUMBER), ("GFLOP/s", NUMBER)]
    columns += [("dense", NUMBER)]
    columns += [("GFLOP/s", NUMBER), ("dense / sparse", NUMBER), ("CLBlast", NUMBER)]
    columns += [("CLBlast / sparse", NUMBER), ("im2col", NUMBER), ("CPU target", NUMBER)]
    columns += [("OpenCL / CPU", NUMBER)]
    rows = [
        (
            r.name, time_text(r.sparse), time_text(r.copies),
            f"{r.gflop / options.rate / r.sparse:.0f}",
            time_text(r.dense), f"{r.gflop / r.dense:.0f}", f"{r.dense / r.sparse:.1f}x",
            time_text(r.clblast), f"{r.clblast / r.sparse:.1f}x", time_text(r.im2col),
            time_text(r.cpu), f"{r.sparse / r.cpu:.2f}",
        )
        for r in results
    ]  # fmt: skip
    block = "x".join(map(str, options.block))
    title = f"{device.name} ({device.platform}), {options.rate:g}x, blocks {block}, f32, batch 1"
    return render(title, columns, rows)


def layers(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time the layers and print the table."""
    device = bcr.opencl.find_device(options.device)
    clblast = CLBlast(device)
    found = []
    for shape in SHAPES:
        if options.only in str(shape):
            print(f"  {shape}", file=sys.stderr, flush=True)
            found.append(measure_layer(shape, clblast, options))
    print(layer_table(found, options, device))
    return [asdict(result) for result in found]


def traffic(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Count what the layers read and write, and print the table."""
    columns = [("layer", TEXT), ("MFLOP dense", NUMBER), ("bytes dense", NUMBER)]
    columns += [("bytes pruned", NUMBER), ("FLOP/byte dense", NUMBER)]
    columns += [("FLOP/byte pruned", NUMBER), ("fewer bytes", NUMBER)]
    rows, found = [], []
    for shape in SHAPES:
        if options.only not in str(shape) or (isinstance(shape, Linear) and shape.count > 1):
            continue
        model, x = make_layer(shape, options)
        counted = {}
        for mode in ("force", "off"):
            exe = bcr.compile(model, (x,), target="opencl", sparsity=mode, storage=options.storage)
            counted[mode] = next(r.traffic for r in exe.report().layers if r.name[:1] == "1")
        pruned, dense = counted["force"], counted["off"]
        found.append({"layer": str(shape), "pruned": asdict(pruned), "dense": asdict(dense)})
        rows.append(
            (
                str(shape), f"{dense.flops / 1e6:.0f}", bytes_text(dense.bytes),
                bytes_text(pruned.bytes), f"{dense.intensity:.0f}", f"{pruned.intensity:.0f}",
                f"{dense.bytes / pruned.bytes:.1f}x",
            )
        )  # fmt: skip
    block = "x".join(map(str, options.block))
    title = f"Traffic of layers, {options.rate:g}x, blocks {block}, {options.storage}, batch 1"
    print(render(title, columns, rows))
    return found


def networks(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time whole networks and print the table."""
    device = bcr.opencl.find_device(options.device)
    rows, found = [], []
    for network in options.networks or NETWORKS:
        rate, block = NETWORKS[network]
        print(f"  {network}", file=sys.stderr, flush=True)
        case = Case(network, rate, block, options.scheme)
        model, inputs = make_model(case), bcr.models.inputs(network)
        expected = model(*inputs).numpy()
        where = {"target": "opencl", "device": options.device}
        calls = {
            "sparse": bcr.compile(model, inputs, **where),
            "dense": bcr.compile(model, inputs, sparsity="off", **where),
            "CPU sparse": bcr.compile(model, inputs, num_threads=device.compute_units),
        }
        error = max(relative_error(exe(*inputs).numpy(), expected) for exe in calls.values())
        if not error < BOUND:
            raise SystemExit(f"{network}: differs from PyTorch by {error}")
        times: dict[str, list[float]] = {name: [] for name in calls}
        with real_time(options.real_time):
            for _ in range(options.rounds):
                for name, exe in calls.items():
                    times[name].append(wall(functools.partial(exe, *inputs), 5))
        medians = {name: statistics.median(values) for name, values in times.items()}
        found.append({"network": network, "rate": rate, "seconds": medians, "error": error})
        rows.append(
            (
                network, f"{rate:g}x", *(time_text(seconds) for seconds in medians.values()),
                f"{medians['dense'] / medians['sparse']:.1f}x",
                f"{medians['sparse'] / medians['CPU sparse']:.2f}",
            )
        )  # fmt: skip
    columns = [("network", TEXT), ("rate", NUMBER), ("OpenCL", NUMBER), ("OpenCL dense", NUMBER)]
    columns += [("CPU target", NUMBER), ("dense / sparse", NUMBER), ("OpenCL / CPU", NUMBER)]
    title = f"Whole calls on {device.name} ({device.platform}), {device.compute_units} units"
    print(render(title, columns, rows))
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run in (("layers", layers), ("traffic", traffic), ("networks", networks)):
        sub = commands.add_parser(name, help=run.__doc__)
        sub.set_defaults(run=run)
        sub.add_argument("--device", type=parse_choice, help="its name, a part of it, or its index")
        sub.add_argument("--rounds", type=int, default=7)
        sub.add_argument("--scheme", choices=("columns", "rows", "both"), default="columns")
        sub.add_argument("--json", type=Path, help="where to write the numbers")
        sub.add_argument("--real-time", action="store_true", help="keep other programs away (root)")
        if run is traffic:
            sub.add_argument("--storage", choices=("f32", "f16-weights", "f16"), default="f32")
        if run is not networks:
            sub.add_argument("--rate", type=float, default=8)
            sub.add_argument("--block", type=int, nargs=2, default=(8, 64))
            sub.add_argument("--only", default="", help="layers with this text in their name")
        else:
            sub.add_argument("networks", nargs="*", choices=[[], *NETWORKS], metavar="NETWORK")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    found = options.run(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
