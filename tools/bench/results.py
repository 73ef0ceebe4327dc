"""Results as JSON: everything that a table was made of, written in one step."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from bench import CACHE, ROOT
from bench.environments import REQUIREMENTS
from bench.machine import describe
from bench.measure import Comparison, Timing


def header() -> dict[str, Any]:
    """Return what every result says: when, which sources, which machine, which versions."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "modified": bool(_git("status", "--porcelain")),
        "machine": describe(),
        "versions": {name: list(wanted) for name, wanted in REQUIREMENTS.items()},
    }


def comparison_dict(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as plain values; times are in seconds."""
    dense = comparison.fastest_dense
    return {
        "network": comparison.case.network,
        "rate": comparison.case.rate,
        "block": list(comparison.case.block),
        "scheme": comparison.case.scheme,
        "threads": comparison.threads,
        "facts": comparison.facts,
        "peak_gflops": comparison.peaks,
        "load": comparison.load,
        "handover": comparison.handover,
        "fastest_dense": dense.peer.name if dense else None,
        "peers": [_timing_dict(timing, dense) for timing in comparison.timings],
        "failures": comparison.failures,
        "warnings": comparison.warnings,
    }


def _timing_dict(timing: Timing, dense: Timing | None) -> dict[str, Any]:
    return {
        "name": timing.peer.name,
        "kind": timing.peer.kind,
        "options": dict(timing.peer.options),
        "seconds": vars(timing.seconds),
        "faster_than_fastest_dense": vars(timing.faster_than(dense)) if dense else None,
        "error": timing.error,
        "memory": timing.memory,
        "preparation": timing.preparation,
        "loading": timing.loading,
        "processors": timing.processors,
        "faults": timing.faults,
        "rounds": timing.rounds,
    }


def write(name: str, value: Any, path: Path | None = None) -> Path:
    """Write a result and return where: at once and whole, so that a reader never sees half of it.

    Args:
        name: begins the name of the file.
        path: where to; default: a new file in the cache.
    """
    if path is None:
        path = CACHE / "results" / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_text(json.dumps(value, indent=1))
    os.replace(unfinished, path)
    return path


def commit() -> str:
    """Return the commit that is checked out."""
    return _git("rev-parse", "HEAD")


def is_clean() -> bool:
    """Return whether the sources are those of the commit."""
    return not _git("status", "--porcelain", "--untracked-files=no")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, text=True, capture_output=True)
    return done.stdout.strip()
