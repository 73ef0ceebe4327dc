"""The hot loop of every convolution of the benchmark's networks, modelled on an AArch64 core.

Every distinct convolution is pruned and compiled on its own, and llvm-mca models the innermost loop
with the most multiply-adds. A core of the kind of Neoverse N1 and Cortex-A76 finishes two vector
multiply-adds a cycle, which is 100 %; what the layer needs beside them can set a lower bound.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

import bcr
import bcr.models
from bcr.tables import NUMBER, TEXT, render
from bench.aarch64.bound import CORES, Work, depthwise_work, product_work
from bench.aarch64.hot_loop import HotLoop, analyse, find_hot_loop

NETWORKS = (
    "vgg16",
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "vgg16_cifar",
    "resnet18_cifar",
    "mobilenet_v2_cifar",
)
FMLA_PER_CYCLE = 2
"""What the cores of the 128-bit, two-pipe kind finish: Cortex-A76, Neoverse N1."""


@dataclass(frozen=True)
class Layer:
    """A convolution with the size of its input, and how hard it is pruned (1: dense)."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    groups: int
    image: int
    rate: float

    def __str__(self) -> str:
        kind = " depthwise" if self.groups > 1 else ""
        stride = f" /{self.stride}" if self.stride > 1 else ""
        size = f"{self.kernel}x{self.kernel}{kind} {self.inputs}-{self.outputs}"
        return f"{size} {self.image}{stride}"


@dataclass
class Result:
    """What the model says of one layer.

    Attributes:
        cycles: of a turn of the hot loop.
        share: of `FMLA_PER_CYCLE`.
        bound: the least cycles that the work of a turn takes.
        bound_by: what takes as long.
    """

    networks: list[str]
    layer: str
    rate: float
    kernel: str
    multiply_adds: int
    cycles: float
    share: float
    bound: float
    bound_by: str
    instructions_per_fmla: float
    spills: int
    code_bytes: int

    @property
    def share_of_bound(self) -> float:
        """How near the loop is to the bound."""
        return self.bound / self.cycles


def list_layers(network: str, rate: float) -> list[Layer]:
    """Return the distinct convolutions of a network, in order."""
    model = bcr.models.get(network)
    found: dict[Layer, None] = {}

    def visit(conv: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(conv, nn.Conv2d)
        stays = not found or conv.groups > 1
        # MobileNet-V2 has few weights to lose: 4x is what its papers prune it by.
        wanted = 1.0 if stays else min(rate, 4.0) if "mobilenet" in network else rate
        layer = Layer(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size[0],
            conv.stride[0],
            conv.groups,
            args[0].shape[-1],
            wanted,
        )
        found.setdefault(layer)

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(visit)
    with torch.no_grad():
        model(*bcr.models.inputs(network))
    return list(found)


def compile_layer(layer: Layer, target: bcr.Target) -> bcr.Executable:
    """Compile one pruned convolution with bias and ReLU, or ReLU6 if it is a depthwise one."""
    torch.manual_seed(0)
    conv = nn.Conv2d(
        layer.inputs,
        layer.outputs,
        layer.kernel,
        layer.stride,
        layer.kernel // 2,
        groups=layer.groups,
    )
    model = nn.Sequential(conv, nn.ReLU6() if layer.groups > 1 else nn.ReLU()).eval()
    if layer.rate > 1:
        config = bcr.PruneConfig(rate=layer.rate, block=(8, 64), scheme="columns", oversize="clip")
        bcr.Pruner(model, config).finalize()
    x = torch.zeros(1, layer.inputs, layer.image, layer.image)
    sparsity = "force" if layer.rate > 1 else "off"
    return bcr.compile(model, (x,), target=target, sparsity=sparsity)


def needed_work(layer: Layer, kernel: str, loop: HotLoop) -> Work:
    """Return what a turn of a layer's hot loop needs.

    Args:
        layer: the convolution.
        kernel: of its report: name, and height by vectors by lanes.
        loop: its hot loop.
    """
    name, shape = kernel.split()
    height, vectors, lanes = map(int, shape.split("x"))
    if name == "depthwise":
        return depthwise_work(
            loop.multiply_adds, loop.stores, layer.kernel, layer.stride, loop.broadcasts
        )
    if name == "rows":
        # Weights are the vectors here, and inputs the scalars.
        height, vectors = vectors, -(-height // lanes)
    return product_work(loop.multiply_adds, height, vectors, dense=layer.rate == 1)


def model_layers(
    networks: list[str], rate: float, target: bcr.Target, model_cpu: str
) -> Iterator[Result]:
    """Model the distinct convolutions of all networks together."""
    users: dict[Layer, list[str]] = {}
    for network in networks:
        for layer in list_layers(network, rate):
            users.setdefault(layer, []).append(network)
    for number, (layer, names) in enumerate(users.items(), 1):
        print(f"\r{number}/{len(users)} {layer!s:40}", end="", file=sys.stderr, flush=True)
        executable = compile_layer(layer, target)
        code = executable.program.code or b""
        loop = find_hot_loop(code)
        if loop is None:
            raise SystemExit(f"{layer}: its code has no loop with a vector multiply-add")
        analysis = analyse(loop, model_cpu)
        kernel = str(executable.program.layers["0"]["kernel"])
        bound, bound_by = needed_work(layer, kernel, loop).bound(CORES[model_cpu])
        yield Result(
            names,
            str(layer),
            layer.rate,
            kernel,
            loop.multiply_adds,
            analysis.cycles,
            loop.multiply_adds / analysis.cycles / FMLA_PER_CYCLE,
            bound,
            bound_by,
            len(loop.instructions) / loop.multiply_adds,
            loop.spills,
            len(code),
        )
    print(file=sys.stderr)


def table(results: list[Result], cpu: str, model_cpu: str) -> str:
    """Return one row per layer."""
    columns = [("layer", TEXT), ("rate", NUMBER), ("kernel", TEXT), ("fmla", NUMBER)]
    columns += [("cycles", NUMBER), ("of 2 fmla/cycle", NUMBER), ("bound", NUMBER), ("by", TEXT)]
    columns += [("of bound", NUMBER), ("instructions/fmla", NUMBER)]
    columns += [("spills", NUMBER), ("networks", TEXT)]
    rows = [
        (
            result.layer,
            f"{result.rate:g}x",
            result.kernel,
            str(result.multiply_adds),
            f"{result.cycles:.1f}",
            f"{100 * result.share:.0f} %",
            f"{result.bound:.1f}",
            result.bound_by,
            f"{100 * result.share_of_bound:.0f} %",
            f"{result.instructions_per_fmla:.2f}",
            str(result.spills),
            ", ".join(result.networks),
        )
        for result in results
    ]
    return render(f"Hot loops for {cpu}, modelled on {model_cpu}", columns, rows)
