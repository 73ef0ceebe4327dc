"""The networks of the project, dense and at 8x, compared with PyTorch; see `tools/networks`."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

import bcr
import bcr.models
from bcr.compiler import relative_error

BLOCKS = ("dense", "1x1", "4x16", "8x64", "16x9", "matrix")
SMALL = ("transformer", "mlp", "conv1d", "unet", "squeeze_excite")
RATE = 8


@dataclass(frozen=True)
class Result:
    """What came out: the error relative to the largest output, and how many layers ran sparse."""

    error: float
    picked: int
    layers: int
    seconds: float


def build(name: str, block: str):
    """Return the network, its arguments and PyTorch's result."""
    torch.manual_seed(0)
    model = bcr.models.get(name)
    if block != "dense":
        shape = "matrix" if block == "matrix" else tuple(map(int, block.split("x")))
        config = bcr.PruneConfig(rate=RATE, block=shape, oversize="clip")
        kinds = (torch.nn.modules.conv._ConvNd, torch.nn.Linear)
        layers = [module for module in model.modules() if isinstance(module, kinds)]
        norms = [layer.weight.norm() for layer in layers]
        bcr.Pruner(model, config).finalize()
        # Each layer keeps its gain, as fine-tuning would see to, so that activations neither
        # vanish nor blow up through the depth and the comparison means something.
        with torch.no_grad():
            for layer, norm in zip(layers, norms):
                layer.weight.mul_(norm / layer.weight.norm())
    args = bcr.models.inputs(name)
    with torch.no_grad():
        expected = model(*args)
    return model, args, expected


def check(name: str, block: str, sparsity: str = "force") -> Result:
    """Compile one network and compare."""
    model, args, expected = build(name, block)
    begin = time.perf_counter()
    exe = bcr.compile(model, args, sparsity=sparsity)
    seconds = time.perf_counter() - begin
    error = relative_error(exe(*args).numpy(), expected.numpy())
    layers = exe.report().layers
    picked = sum(layer.verdict == "picked" for layer in layers)
    return Result(error, picked, len(layers), seconds)


def main() -> None:
    """Check all networks at all block shapes and print a table."""
    import sys

    from bcr.tables import NUMBER, TEXT, render

    torch.set_num_threads(2)
    rows, worst = [], 0.0
    for name in sys.argv[1:] or bcr.models.names():
        for block in BLOCKS:
            result = check(name, block)
            print(f"{name} {block}: {result.error:.1e}", file=sys.stderr, flush=True)
            worst = max(worst, result.error)
            picked = f"{result.picked} of {result.layers}"
            rows.append((name, block, picked, f"{result.seconds:.1f} s", f"{result.error:.1e}"))
    columns = [("network", TEXT), ("block, 8x", TEXT), ("layers sparse", NUMBER)]
    columns += [("import + compile", NUMBER), ("error", NUMBER)]
    print(render("Largest difference from PyTorch / largest output", columns, rows))
    raise SystemExit(worst >= 1e-4)


if __name__ == "__main__":
    main()
