"""Single convolution layers of the networks: time, GFLOP/s, share of the measured peak.

Times are those that the compiled code takes itself (`Executable.profile`), without the call from
Python around it.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import bcr
from bcr.compiler import relative_error
from bcr.tables import NUMBER, TEXT, render, time_text
from bench.case import Case, prune
from bench.machine import Unit
from bench.realtime import real_time

BOUND = 1e-4
"""Largest accepted difference from PyTorch, relative to the largest output."""

INTENSE = 1.0
"""From this many stored MFLOP per 32 kB touched a layer is bound by arithmetic, not memory."""


@dataclass(frozen=True)
class Layer:
    """The shape of a convolution and of its input."""

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    groups: int
    height: int
    width: int

    def __str__(self) -> str:
        kernel = "x".join(map(str, self.kernel))
        parts = [f"{kernel} {self.inputs}-{self.outputs}", f"{self.height}x{self.width}"]
        if self.stride != (1, 1):
            parts.append(f"/{self.stride[0]}")
        if self.groups > 1:
            parts.append(f"groups {self.groups}")
        return " ".join(parts)

    @property
    def depthwise(self) -> bool:
        """Each channel by itself; stays dense."""
        return self.groups > 1


@dataclass(frozen=True)
class LayerTiming:
    """One layer, sparse or dense.

    Attributes:
        seconds: median.
        stored_gflops, dense_gflops: of the multiply-adds that run, and of those of the dense layer.
        touched: bytes of input, output and packed weights.
        intensity: stored MFLOP per 32 kB touched.
        kernel: as the compiler's report names it.
        rate: weights over stored weights.
    """

    layer: Layer
    kind: str
    seconds: float
    stored_gflops: float
    dense_gflops: float
    touched: int
    intensity: float
    kernel: str
    rate: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"name": str(self.layer)}


def convolutions(networks: Iterable[str]) -> dict[Layer, list[str]]:
    """Return the shapes of all convolutions of some networks, and which layers have each."""
    import torch
    from torch import nn

    import bcr.models

    found: dict[Layer, list[str]] = {}
    for network in networks:
        model = bcr.models.get(network)

        def note(module: nn.Conv2d, inputs: Any, _: Any, name: str, network: str = network) -> None:
            layer = Layer(
                inputs=module.in_channels,
                outputs=module.out_channels,
                kernel=tuple(module.kernel_size),  # type: ignore[arg-type]
                stride=tuple(module.stride),  # type: ignore[arg-type]
                padding=tuple(module.padding),  # type: ignore[arg-type]
                groups=module.groups,
                height=inputs[0].shape[2],
                width=inputs[0].shape[3],
            )
            found.setdefault(layer, []).append(f"{network}:{name}")

        for name, module in model.named_modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda m, i, o, name=name: note(m, i, o, name))
        with torch.no_grad():
            model(*bcr.models.inputs(network))
    return found


def measure(
    layer: Layer, case: Case, *, threads: int = 1, rounds: int = 7, priority: bool = False
) -> list[LayerTiming]:
    """Measure a layer sparse at the rate of a case (unless it stays dense) and dense, in turn.

    Raises:
        ValueError: an output differs from PyTorch's.
    """
    import torch
    from torch import nn

    torch.manual_seed(case.seed)
    convolution = nn.Conv2d(
        layer.inputs, layer.outputs, layer.kernel, layer.stride, layer.padding, groups=layer.groups
    ).eval()
    pruned = layer.inputs > 3 and not layer.depthwise and case.rate > 1
    if pruned:
        # prune() leaves the first convolution dense: this one is not the first.
        model = nn.ModuleList([nn.Conv2d(1, 1, 1), convolution])
        prune(model, case)
    x = torch.randn(1, layer.inputs, layer.height, layer.width)
    with torch.no_grad():
        expected = convolution(x).numpy()
    calls = {
        kind: bcr.compile(convolution, (x,), sparsity=sparsity, num_threads=threads)
        for kind, sparsity in (("sparse", "force"), ("dense", "off"))
        if pruned or kind == "dense"
    }
    for kind, exe in calls.items():
        error = relative_error(exe(x).numpy(), expected)
        if not error <= BOUND:
            raise ValueError(f"{layer}, {kind}: differs from PyTorch by {error:.1e}")
    times: dict[str, list[float]] = {kind: [] for kind in calls}
    with real_time(priority):
        for _ in range(rounds):
            for kind, exe in calls.items():
                times[kind].append(exe.profile(x, repeats=7).layers[0].seconds)
    flops = 2 * layer.outputs * layer.inputs // layer.groups * layer.kernel[0] * layer.kernel[1]
    flops *= expected.shape[2] * expected.shape[3]
    timings = []
    for kind, exe in calls.items():
        report = exe.report().layers[0]
        seconds = statistics.median(times[kind])
        stored = flops * report.value_bytes / report.dense_bytes
        touched = 4 * (x.numel() + expected.size) + report.value_bytes + report.index_bytes
        timings.append(
            LayerTiming(
                layer=layer,
                kind=kind,
                seconds=seconds,
                stored_gflops=1e-9 * stored / seconds,
                dense_gflops=1e-9 * flops / seconds,
                touched=touched,
                intensity=1e-6 * stored / (touched / 32e3),
                kernel=report.kernel,
                rate=report.dense_bytes / report.value_bytes,
            )
        )
    return timings


def table(
    timings: Sequence[LayerTiming],
    where: dict[Layer, list[str]],
    unit: Unit,
    peak: float,
    title: str,
) -> str:
    """One row per layer and kind, with the share of the peak of `unit`."""
    columns = [
        ("layer, image", TEXT), ("", TEXT), ("time", NUMBER), ("rate", NUMBER),
        ("GFLOP/s stored", NUMBER), ("share of peak", NUMBER), ("GFLOP/s dense-equiv.", NUMBER),
        ("MFLOP per 32 kB", NUMBER), ("kernel", TEXT), ("times", NUMBER), ("first", TEXT),
    ]  # fmt: skip
    rows = [
        (
            str(t.layer),
            t.kind,
            time_text(t.seconds),
            f"{t.rate:.1f}x",
            f"{t.stored_gflops:.0f}",
            f"{t.stored_gflops / peak:.0%}",
            f"{t.dense_gflops:.0f}",
            f"{t.intensity:.2f}",
            t.kernel,
            str(len(where[t.layer])),
            where[t.layer][0],
        )
        for t in timings
    ]
    intense = [t for t in timings if t.kind == "sparse" and t.intensity >= INTENSE]
    good = sum(t.stored_gflops >= 0.65 * peak for t in intense)
    footer = (
        f"peak: {unit.name} {peak:.0f} GFLOP/s a core; {good} of {len(intense)} sparse layers with "
        f"at least {INTENSE:g} stored MFLOP per 32 kB touched reach 65 % of it"
    )
    return render(title, columns, rows, footer)
