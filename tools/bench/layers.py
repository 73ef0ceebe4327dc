"""Time single convolution layers: the same layer sparse and dense, both compiled by bcr.

    python tools/bench/layers.py [--rate 8] [--block 8 64]

Outputs are compared with PyTorch before anything is timed; the calls are interleaved, so a drift of
the machine hits both alike. Dense-equivalent GFLOP/s count the work of the dense layer.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

import bcr
from bcr.compiler import relative_error
from bcr.tables import NUMBER, TEXT, render, time_text

LAYERS = {
    # name: (inputs, outputs, kernel, stride, image)
    "3x3 64-64 56": (64, 64, 3, 1, 56),
    "3x3 128-128 28": (128, 128, 3, 1, 28),
    "3x3 256-256 28": (256, 256, 3, 1, 28),
    "3x3 512-512 14": (512, 512, 3, 1, 14),
    "3x3 256-512 14 /2": (256, 512, 3, 2, 28),
    "1x1 256-64 56": (256, 64, 1, 1, 56),
    "1x1 1024-256 14": (1024, 256, 1, 1, 14),
}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=8)
    parser.add_argument("--block", type=int, nargs=2, default=(8, 64))
    parser.add_argument("--repeats", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, (inputs, outputs, kernel, stride, image) in LAYERS.items():
        torch.manual_seed(0)
        layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2).eval()
        config = bcr.PruneConfig(rate=options.rate, block=tuple(options.block))
        bcr.Pruner(layer, config).finalize()
        x = torch.randn(1, inputs, image, image)
        with torch.no_grad():
            expected = layer(x)
        calls = {
            "sparse": bcr.compile(layer, (x,), sparsity="force"),
            "dense": bcr.compile(layer, (x,), sparsity="off"),
        }
        for kind, exe in calls.items():
            error = relative_error(exe(x).numpy(), expected.numpy())
            assert error < 1e-4, (name, kind, error)
        times: dict[str, list[float]] = {kind: [] for kind in calls}
        for repeat in range(options.repeats + 5):
            for kind, exe in calls.items():
                begin = time.perf_counter()
                exe(x)
                if repeat >= 5:
                    times[kind].append(time.perf_counter() - begin)
        dense, sparse = (statistics.median(times[kind]) for kind in ("dense", "sparse"))
        flops = 2 * expected.numel() * inputs * kernel * kernel
        rate = calls["sparse"].report().layers[0].rate
        rows.append(
            (
                name,
                time_text(dense),
                time_text(sparse),
                f"{dense / sparse:.1f}x",
                f"{rate:.1f}x",
                f"{flops / dense / 1e9:.0f}",
                f"{flops / rate / sparse / 1e9:.0f}",
                f"{flops / sparse / 1e9:.0f}",
            )
        )
    columns = [("layer, image", TEXT), ("dense", NUMBER), ("sparse", NUMBER), ("faster", NUMBER)]
    columns += [("rate", NUMBER), ("GFLOP/s dense", NUMBER), ("GFLOP/s stored", NUMBER)]
    columns += [("GFLOP/s dense-equivalent", NUMBER)]
    block = "x".join(map(str, options.block))
    print(render(f"One thread, f32, batch 1, blocks {block}, median", columns, rows))


if __name__ == "__main__":
    main()
