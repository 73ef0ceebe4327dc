"""Compile whole networks and print time and memory of compilation, accuracy and latency.

    python tools/bench/networks.py [--rate 8] [NETWORK ...]

Each network is compiled in a process of its own, so that its peak memory is its own. Memory is what
compilation adds to the process at its peak, as a multiple of the weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time

from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text

NETWORKS = ("vgg16", "resnet18", "resnet50", "mobilenet_v2")


class PeakMemory:
    """The largest resident size of this process while a block runs, in bytes, above its start."""

    def __enter__(self) -> PeakMemory:
        import psutil

        self._process = psutil.Process()
        self._start = self._process.memory_info().rss
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.peak = max(self.peak, self._process.memory_info().rss - self._start)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def measure(name: str, rate: float, sparsity: str) -> dict[str, float]:
    """Compile one network in this process."""
    import statistics

    import torch

    import bcr
    import bcr.models
    from bcr import frontend, ir  # noqa: F401  what compilation imports is not its memory
    from bcr.compiler import relative_error

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = bcr.models.get(name).eval()
    if rate > 1:
        config = bcr.PruneConfig(rate=rate, block=(8, 16))
        bcr.Pruner(model, config).finalize()
    x = torch.randn(1, 3, 224, 224)
    bcr.compile(torch.nn.Linear(2, 2).eval(), (torch.zeros(1, 2),))
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    with torch.no_grad():
        expected = model(x)
    begin = time.perf_counter()
    with PeakMemory() as memory:
        exe = bcr.compile(model, (x,), sparsity=sparsity, verbose=True)
    seconds = time.perf_counter() - begin
    error = relative_error(exe(x).numpy(), expected.numpy())
    times: dict[str, list[float]] = {"bcr": [], "eager": []}
    with torch.no_grad():
        for _ in range(15):
            for kind, call in (("bcr", exe), ("eager", model)):
                start = time.perf_counter()
                call(x)
                times[kind].append(time.perf_counter() - start)
    return {
        "weights": weights,
        "seconds": seconds,
        "peak": memory.peak / weights,
        "error": error,
        "pool": exe.program.pool.size,
        "code": len(exe.program.code or b""),
        "bcr": statistics.median(times["bcr"]),
        "eager": statistics.median(times["eager"]),
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--rate", type=float, default=8)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, rate, sparsity = options.one
        print(json.dumps(measure(name, float(rate), sparsity)))
        return
    rows = []
    for name in options.networks:
        for rate, sparsity in ((1.0, "off"), (options.rate, "auto")):
            print(f"{name}, {rate:g}x, {sparsity}", file=sys.stderr)
            command = [sys.executable, __file__, "--one", name, str(rate), sparsity]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result = json.loads(done.stdout.splitlines()[-1])
            rows.append(
                (
                    name,
                    f"{rate:g}x",
                    bytes_text(result["weights"]),
                    time_text(result["seconds"]),
                    f"{result['peak']:.2f}x",
                    bytes_text(result["pool"]),
                    bytes_text(result["code"]),
                    f"{result['error']:.1e}",
                    time_text(result["bcr"]),
                    time_text(result["eager"]),
                )
            )
    columns = [("network 224x224", TEXT), ("rate", NUMBER), ("weights", NUMBER)]
    columns += [("import + compile", NUMBER), ("peak memory", NUMBER), ("constants", NUMBER)]
    columns += [("code", NUMBER), ("error", NUMBER), ("bcr", NUMBER), ("PyTorch eager", NUMBER)]
    print(render("One thread, f32, batch 1", columns, rows))


if __name__ == "__main__":
    main()
