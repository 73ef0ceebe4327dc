"""Runs trainings side by side, one thread each, and keeps every result at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from studies import training
from studies.results import Results
from studies.study import Job


def run_all(
    jobs: Sequence[Job], results: Results, weights: Path, workers: int, console: Console
) -> None:
    """Run the jobs that have no result yet, dense trainings first.

    Args:
        jobs: those with a point; what they start from is added.
        results: where to look and to put.
        weights: folder of trained weights.
        workers: processes.
        console: where to show how far it is.

    Raises:
        Exception: what a training raised; all that was finished is kept.
    """
    starts = list(dict.fromkeys(job.start for job in jobs))
    with Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console,
    ) as progress:  # fmt: skip
        for title, part in (("dense trainings", starts), ("prune and retrain", list(jobs))):
            # Weights are needed as well: of a dense training by all others, of these to compile.
            done = [
                j for j in part
                if j.key() in results.runs and (weights / f"{j.key()}.pt").exists()
            ]  # fmt: skip
            task = progress.add_task(title, total=len(part), completed=len(done))
            _run([j for j in part if j not in done], results, weights, workers, progress, task)


def _run(
    jobs: list[Job], results: Results, weights: Path, workers: int, progress: Progress, task: int
) -> None:
    if not jobs:
        return
    # A forked process would share the locks of torch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context)
    try:
        futures: dict[Future, Job] = {pool.submit(training.work, j, weights): j for j in jobs}
        for future in as_completed(futures):
            job, entry = futures[future], future.result()
            results.add(job, entry)
            rate = f" {entry['rate']:g}x" if entry["rate"] > 1 else ""
            progress.console.print(
                f"  {job.network} seed {job.seed} {entry['curve']}{rate}: "
                f"{entry['accuracy']:.2%} in {entry['seconds']:.0f} s"
            )
            progress.advance(task)
    finally:
        pool.shutdown(cancel_futures=True)
