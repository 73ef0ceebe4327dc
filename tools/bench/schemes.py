"""Time one convolution pruned by each scheme, against the same convolution compiled dense.

    python tools/bench/schemes.py [--channels 128] [--size 28] [--kernel 3] [--rate 8]

The dense code gets the same zeros and multiplies them. Both take turns; a ratio is the median over
the rounds. Outputs are compared with PyTorch before anything is timed. `force` runs the sparse code
whatever the cost model says, `auto` is what a user gets.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

import bcr
from bcr.pruning.scheme_names import SCHEMES, n_of_m
from bcr.tables import NUMBER, TEXT, render


def layer(scheme: str, options: argparse.Namespace) -> nn.Module:
    """Return the convolution, pruned, in eval mode."""
    torch.manual_seed(0)
    c = options.channels
    conv = nn.Conv2d(c, c, options.kernel, padding=options.kernel // 2).eval()
    counts = n_of_m(scheme)
    rate = counts[1] / counts[0] if counts else options.rate
    config = bcr.PruneConfig(
        rate, (8, 64), scheme=scheme, ranking=options.ranking, fallback="dense"
    )
    bcr.Pruner(conv, config).finalize()
    return conv


def seconds(executable: bcr.Executable, x: torch.Tensor) -> float:
    """Return the median of some calls in a row."""
    times = []
    for _ in range(9):
        begin = time.perf_counter()
        executable(x)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def row(scheme: str, options: argparse.Namespace) -> list[str]:
    """Compile one scheme's layer in all modes and time it."""
    model = layer(scheme, options)
    x = torch.randn(1, options.channels, options.size, options.size)
    modes = {mode: bcr.compile(model, (x,), sparsity=mode) for mode in ("off", "force", "auto")}
    expected = model(x).detach()
    for executable in modes.values():
        assert torch.allclose(executable(x), expected, atol=1e-4)
    rounds = [{m: seconds(e, x) for m, e in modes.items()} for _ in range(options.rounds)]
    forced, auto = (
        statistics.median(r["off"] / r[mode] for r in rounds) for mode in ("force", "auto")
    )
    found, picked = (modes[mode].report().layers[0] for mode in ("force", "auto"))
    block = "x".join(map(str, found.block)) if found.block else "-"
    zeros = 1 / (1 - found.sparsity)
    share = f"{found.index_bytes / max(found.value_bytes, 1):.0%}"
    verdict = [f"{forced:.2f}x", f"{auto:.2f}x", picked.verdict]
    return [scheme, f"{zeros:.1f}x", block, f"{found.rate:.1f}x", share, *verdict]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schemes", nargs="+", default=[*SCHEMES, "2:4", "1:8"])
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--size", type=int, default=28, help="of the image")
    parser.add_argument("--kernel", type=int, default=3)
    parser.add_argument("--rate", type=float, default=8)
    parser.add_argument("--ranking", default="block", help="block or layer")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns = [("scheme", TEXT), ("zeros", NUMBER), ("block found", NUMBER), ("stored", NUMBER)]
    columns += [("indices / values", NUMBER), ("force", NUMBER), ("auto", NUMBER)]
    c, k, size = options.channels, options.kernel, options.size
    title = f"{k}x{k} convolution {c} to {c} at {size}x{size}: dense time / sparse time, 1 thread"
    with torch.no_grad():
        rows = [row(scheme, options) for scheme in options.schemes]
    print(render(title, [*columns, ("verdict", TEXT)], rows))


if __name__ == "__main__":
    main()
