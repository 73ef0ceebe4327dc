"""The results of a study on disk: one entry a training, so that a stopped study goes on."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import results as bench_results

from studies.points import Point
from studies.study import Job, Network


class Results:
    """Entries by the key of their job, written as a whole after each change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        stored = json.loads(path.read_text()) if path.exists() else {}
        self.runs: dict[str, dict[str, Any]] = stored.get("runs", {})
        self.latency: dict[str, dict[str, Any]] = stored.get("latency", {})

    def add(self, job: Job, entry: dict[str, Any]) -> None:
        """Keep the entry of a job."""
        self.runs[job.key()] = entry
        self.write()

    def write(self) -> None:
        """Write everything in one step."""
        value = {"header": header(), "runs": self.runs, "latency": self.latency}
        bench_results.write(self.path.stem, value, self.path)


def header() -> dict[str, Any]:
    """Return when and from which sources: without the machine's limits, they take seconds."""
    import time

    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": bench_results.commit(),
    }


@dataclass(frozen=True)
class Summary:
    """One point over all seeds.

    Attributes:
        point: what was done.
        accuracies: of the seeds, in their order, on the test examples.
        validation: the same on those by which choices are made.
        reached: rate reached, mean of the seeds.
        seconds: latency of one call of the compiled network, None if it was not measured.
    """

    point: Point
    accuracies: tuple[float, ...]
    validation: tuple[float, ...]
    reached: float
    seconds: float | None

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return statistics.fmean(self.accuracies)

    @property
    def spread(self) -> float:
        """Standard deviation of the accuracy over the seeds; 0 for a single one."""
        return statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else 0.0


def summarise(results: Results, network: Network, jobs: Iterable[Job]) -> list[Summary]:
    """Return the points of a network that have results, in the order of the network."""
    by_point: dict[Point, list[tuple[Job, dict[str, Any]]]] = {}
    for job in jobs:
        entry = results.runs.get(job.key())
        if job.network == network.name and job.point is not None and entry is not None:
            by_point.setdefault(job.point, []).append((job, entry))
    found = []
    for point in network.points:
        runs = by_point.get(point)
        if not runs:
            continue
        timed = [results.latency.get(job.key(), {}).get("seconds") for job, _ in runs]
        found.append(
            Summary(
                point,
                tuple(entry["accuracy"] for _, entry in runs),
                tuple(entry["validation"] for _, entry in runs),
                statistics.fmean(entry["reached"] for _, entry in runs),
                next((t for t in timed if t is not None), None),
            )
        )
    return found


def find(summaries: Sequence[Summary], curve: str, rate: float) -> Summary | None:
    """Return the summary of one point, None if there is none."""
    return next((s for s in summaries if s.point.curve == curve and s.point.rate == rate), None)
