"""What became of each layer, and where the time goes."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bcr.errors import ConfigError
from bcr.program import Program
from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text
from bcr.traffic import Traffic, layer_traffic
from bcr.workspace import Arena


@dataclass(frozen=True)
class LayerReport:
    """One layer of a compiled model.

    Attributes:
        name: qualified name of the PyTorch module.
        op: "conv2d", "matmul", or of a recurrent layer "gru", "lstm", "rnn_tanh" or "rnn_relu".
        shape: (M, K) of the weight matrix; (0, 0) where an input or another layer computes it.
        block: (Br, Bc) read from the zeros, or None for a dense layer.
        rate: weights divided by stored weights; 1 for a dense layer.
        sparsity: fraction of the weights that are zero.
        verdict: "picked" (runs sparse), "missed" (eligible, runs dense) or "dense" (not eligible).
        reason: why.
        kernel: kernel and register tile (rows x vectors x lanes), or, of windows, the rows of a
            lane x the inputs of a window.
        dense_bytes, value_bytes, index_bytes: the f32 matrix; its stored values; their indices.
        csr_bytes: the same zeros in CSR with 4-byte indices, for comparison.
        positions: output positions: samples for a matmul, samples times pixels for a conv2d, or
            times steps for a recurrent layer.
        input_copy_bytes, output_copy_bytes: what a call copies for one sample to bring the input
            into the layout of the kernel, and the result out of it; 0 where both are in place.
        storage: "f32", or "f16" where the stored values are half floats in memory.
        traffic: on a GPU, what the layer computes, reads and writes in a call; else None.
    """

    name: str
    op: str
    shape: tuple[int, int]
    block: tuple[int, int] | None
    rate: float
    sparsity: float
    verdict: str
    reason: str
    kernel: str
    dense_bytes: int
    value_bytes: int
    index_bytes: int
    csr_bytes: int | None
    positions: int | None
    input_copy_bytes: int
    output_copy_bytes: int
    storage: str = "f32"
    traffic: Traffic | None = None

    @property
    def stored(self) -> int:
        """Weights that are stored, and multiplied at every position."""
        return self.value_bytes // (2 if self.storage == "f16" else 4)

    @classmethod
    def of(cls, name: str, info: dict[str, Any], traffic: Traffic | None = None) -> LayerReport:
        """Read what the passes recorded."""
        rows, columns = (int(size) for size in info.get("shape", (0, 0)))
        block = info.get("block")
        dense = 4 * rows * columns
        return cls(
            name=name,
            op=str(info.get("op", "")),
            shape=(rows, columns),
            block=(int(block[0]), int(block[1])) if block else None,
            rate=float(info.get("rate", 1.0)) if info.get("status") == "picked" else 1.0,
            sparsity=float(info.get("sparsity", 0.0)),
            verdict=str(info.get("status", "dense")),
            reason=str(info.get("reason", "")),
            kernel=str(info.get("kernel", "")),
            dense_bytes=dense,
            value_bytes=int(info.get("value_bytes", dense)),
            index_bytes=int(info.get("index_bytes", 0)),
            csr_bytes=int(info["csr_bytes"]) if "csr_bytes" in info else None,
            positions=int(info["positions"]) if info.get("positions", -1) > 0 else None,
            input_copy_bytes=int(info.get("input_copy_bytes", 0)),
            output_copy_bytes=int(info.get("output_copy_bytes", 0)),
            storage=str(info.get("storage", "f32")),
            traffic=traffic,
        )


def in_order(program: Program) -> list[str]:
    """Return the names of the layers in the order of a call, those that it has none of last."""
    last = 1 + max((int(i.get("profile_slot", 0)) for i in program.layers.values()), default=0)
    return sorted(program.layers, key=lambda n: int(program.layers[n].get("profile_slot", last)))


@dataclass(frozen=True)
class CompileReport:
    """All layers of a compiled model; prints as a table."""

    layers: tuple[LayerReport, ...]
    pool_bytes: int
    code_bytes: int
    arena: Arena

    @classmethod
    def of(cls, program: Program) -> CompileReport:
        """Read the report out of a compiled model."""
        traffic = layer_traffic(program)
        layers = tuple(
            LayerReport.of(name, program.layers[name], traffic.get(name))
            for name in in_order(program)
        )
        code_bytes = len(program.code or program.library or b"")
        return cls(layers, program.pool.size, code_bytes, program.arena)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain Python values."""
        return {
            "layers": [asdict(layer) for layer in self.layers],
            "pool_bytes": self.pool_bytes,
            "code_bytes": self.code_bytes,
            "arena": dict(vars(self.arena)),
        }

    def _memory(self) -> str:
        arena = self.arena
        text = (
            f"a call works in {bytes_text(arena.bytes)}: {arena.buffers} buffers of "
            f"{bytes_text(arena.buffer_bytes)} that share memory"
        )
        if arena.unplanned:
            text += f"; it allocates {arena.unplanned} more, whose size depends on the inputs"
        return text

    def _copies(self) -> str:
        copies = [
            f"{layer.name} ({bytes_text(layer.input_copy_bytes)} in, "
            f"{bytes_text(layer.output_copy_bytes)} out)"
            for layer in self.layers
            if layer.input_copy_bytes or layer.output_copy_bytes
        ]
        if not copies:
            return "every layer reads its input and writes its result in place"
        return f"copied into or out of the layout of a kernel: {', '.join(copies)}"

    def __str__(self) -> str:
        columns = [
            ("layer", TEXT), ("op", TEXT), ("M x K", NUMBER), ("block", NUMBER), ("rate", NUMBER),
            ("zeros", NUMBER), ("verdict", TEXT), ("kernel", TEXT), ("dense", NUMBER),
            ("packed", NUMBER), ("CSR", NUMBER),
        ]  # fmt: skip
        on_gpu = any(layer.traffic for layer in self.layers)
        if on_gpu:
            columns += [("MFLOP", NUMBER), ("read", NUMBER), ("written", NUMBER)]
            columns += [("FLOP/byte", NUMBER)]
        columns.append(("why", TEXT))
        rows = [
            (
                layer.name,
                layer.op,
                "x".join(map(str, layer.shape)) if any(layer.shape) else "-",
                "x".join(map(str, layer.block)) if layer.block else "-",
                f"{layer.rate:.1f}x" if layer.verdict == "picked" else "-",
                f"{layer.sparsity:.1%}" if any(layer.shape) else "-",
                layer.verdict,
                layer.kernel or "-",
                bytes_text(layer.dense_bytes),
                bytes_text(layer.value_bytes + layer.index_bytes),
                bytes_text(layer.csr_bytes) if layer.csr_bytes is not None else "-",
                *(_traffic_cells(layer.traffic) if on_gpu else ()),
                layer.reason,
            )
            for layer in self.layers
        ]
        picked = sum(layer.verdict == "picked" for layer in self.layers)
        dense = sum(layer.dense_bytes for layer in self.layers)
        packed = sum(layer.value_bytes + layer.index_bytes for layer in self.layers)
        footer = (
            f"{picked} of {len(self.layers)} layers run sparse; weights {bytes_text(dense)} dense, "
            f"{bytes_text(packed)} packed; all constants {bytes_text(self.pool_bytes)}, "
            f"code {bytes_text(self.code_bytes)}\n{self._memory()}\n{self._copies()}"
        )
        return render("Layers", columns, rows, footer)


def _traffic_cells(traffic: Traffic | None) -> tuple[str, str, str, str]:
    if traffic is None:
        return ("-", "-", "-", "-")
    return (
        f"{traffic.flops / 1e6:.2f}",
        bytes_text(traffic.bytes - traffic.written_bytes),
        bytes_text(traffic.written_bytes),
        f"{traffic.intensity:.1f}",
    )


@dataclass(frozen=True)
class LayerTime:
    """The time of one layer: median seconds a call, share of the call, and GFLOP/s.

    `stored_gflops` counts the multiply-adds that run, `dense_gflops` those that the dense layer
    would have run in the same time; None where the batch is dynamic.
    """

    name: str
    seconds: float
    share: float
    stored_gflops: float | None
    dense_gflops: float | None


@dataclass(frozen=True)
class Profile:
    """Times of all layers and of what lies between them; prints as a table."""

    layers: tuple[LayerTime, ...]
    other: float
    total: float

    def __str__(self) -> str:
        def number(value: float | None) -> str:
            return "-" if value is None else f"{value:.1f}"

        columns = [
            ("layer", TEXT), ("time", NUMBER), ("share", NUMBER), ("GFLOP/s stored", NUMBER),
            ("GFLOP/s dense-equivalent", NUMBER),
        ]  # fmt: skip
        rows = [
            (
                layer.name,
                time_text(layer.seconds),
                f"{layer.share:.1%}",
                number(layer.stored_gflops),
                number(layer.dense_gflops),
            )
            for layer in self.layers
        ]
        share = self.other / self.total if self.total else 0.0
        rows.append(("(everything else)", time_text(self.other), f"{share:.1%}", "-", "-"))
        return render("Profile", columns, rows, f"one call: {time_text(self.total)} (median)")


def layer_time(name: str, info: dict[str, Any] | None, seconds: float, total: float) -> LayerTime:
    """Return the row of a layer.

    Args:
        name: its qualified name.
        info: what the passes recorded of it; None for what is no layer.
        seconds: its time in a call.
        total: the time of the call, seconds.
    """
    gflops = stored = None
    if info is not None and seconds > 0:
        layer = LayerReport.of(name, info)
        if layer.positions:
            gflops = 2e-9 * layer.shape[0] * layer.shape[1] * layer.positions / seconds
            stored = gflops * 4 * layer.stored / layer.dense_bytes
    return LayerTime(name, seconds, seconds / total, stored, gflops)


def measure(program: Program, run: Callable[[Any], object], repeats: int) -> Profile:
    """Call `run` with a buffer for time stamps and read the medians.

    The code stamps its own start and end (slots 0 and 1), then each layer's. How long a tick is
    follows from the wall clock and the first stamps of the first and the last call, which the time
    that Python takes for a call hardly touches.
    """
    if repeats < 1:
        raise ConfigError(f"repeats must be at least 1, got {repeats}")
    names = [name for name in in_order(program) if "profile_slot" in program.layers[name]]
    slots = {name: int(program.layers[name]["profile_slot"]) for name in names}
    buffer = (ctypes.c_int64 * (2 * (len(names) + 1)))()
    run(buffer)
    ticks: dict[str, list[int]] = {name: [] for name in names}
    totals = []
    starts = []
    # With one more, a single call has a neighbour to tell the length of a tick by.
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        run(buffer)
        totals.append(time.perf_counter() - begin)
        starts.append((begin, buffer[0]))
        for name, slot in slots.items():
            ticks[name].append(buffer[2 * slot + 1] - buffer[2 * slot])
    (begin, tick), (end, last_tick) = starts[0], starts[-1]
    seconds = (end - begin) / max(last_tick - tick, 1)
    times = {name: [n * seconds for n in counts[1:]] for name, counts in ticks.items()}
    total = statistics.median(totals[1:])
    layers = [
        layer_time(name, program.layers[name], statistics.median(times[name]), total)
        for name in names
    ]
    other = max(total - sum(layer.seconds for layer in layers), 0.0)
    return Profile(tuple(layers), other, total)
