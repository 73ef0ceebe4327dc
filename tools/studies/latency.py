"""Latency of the pruned networks, compiled by bcr and measured side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench import results as bench_results
from bench.realtime import real_time
from bench.summary import ratio
from rich.console import Console
from rich.progress import track

import bcr
from studies.results import Results
from studies.study import Job, Network

ROUNDS = 15
_TURN = 0.004  # seconds that a network is called in one round


def compile_all(
    network: Network, jobs: Sequence[Job], weights: Path, console: Console
) -> dict[str, bcr.Executable]:
    """Compile the network of each job, dense ones densely, and return them by key.

    What was compiled from the same commit before is read from the folder of the weights.
    """
    x = torch.randn((1, *network.shape))
    found = {}
    for job in track(jobs, f"{network.name}: compile", console=console, transient=True):
        assert job.point is not None
        path = weights / f"{job.key()}-{bench_results.commit()}.bcr"
        if path.exists() and bench_results.is_clean():
            found[job.key()] = bcr.load(path)
            continue
        model = network.make()
        model.load_state_dict(torch.load(weights / f"{job.key()}.pt", weights_only=True))
        sparsity = "auto" if job.point.scheme else "off"
        exe = bcr.compile(model.eval(), (x,), sparsity=sparsity, num_threads=1, verify=True)
        exe.save(path)
        found[job.key()] = exe
    return found


def measure(
    network: Network,
    jobs: Sequence[Job],
    results: Results,
    weights: Path,
    console: Console,
    priority: bool,
) -> None:
    """Put the times of the compiled networks of all jobs into the results, unless all are there.

    All are measured in the same rounds, the dense network compiled densely among them, so that
    whatever slows the machine down for a while slows all of them down.

    Args:
        network: of all jobs.
        jobs: trained ones, the one of the dense network among them.
        results: where to put medians and the times of the dense network over them.
        weights: folder of trained weights.
        console: where to show how far it is.
        priority: keep other programs away meanwhile; needs root.
    """
    if all(job.key() in results.latency for job in jobs):
        return
    x = torch.randn((1, *network.shape), generator=torch.Generator().manual_seed(0))
    calls = compile_all(network, jobs, weights, console)
    facts: dict[str, dict[str, Any]] = {}
    for key, exe in calls.items():
        layers = exe.report().layers
        facts[key] = {
            "sparse_layers": sum(layer.verdict == "picked" for layer in layers),
            "layers": len(layers),
            "weight_bytes": sum(layer.value_bytes + layer.index_bytes for layer in layers),
        }
    with real_time(priority):
        times = _rounds(calls, np.asarray(x))
    dense = next(job.key() for job in jobs if job.point is not None and not job.point.scheme)
    for key, rounds in times.items():
        facts[key]["seconds"] = statistics.median(t for turn in rounds for t in turn)
        facts[key]["dense_over_this"] = ratio(times[dense], rounds).median
        results.latency[key] = facts[key]
    results.write()


def _rounds(
    calls: Mapping[str, Callable[[Any], Any]], x: np.ndarray
) -> dict[str, list[list[float]]]:
    """Seconds of every call: by network, round after round."""
    times: dict[str, list[list[float]]] = {key: [] for key in calls}
    for _ in range(ROUNDS):
        for key, call in calls.items():
            call(x)  # what the network before it left in the caches is not its fault
            turn: list[float] = []
            while sum(turn) < _TURN or len(turn) < 3:
                begin = time.perf_counter()
                call(x)
                turn.append(time.perf_counter() - begin)
            times[key].append(turn)
    return times
