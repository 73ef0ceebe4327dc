"""The command line: `tools/studies/digits`, `tools/studies/glyphs`, `tools/studies/words`."""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from studies import OUTPUT, latency, plot, tables
from studies.catalogue import STUDIES
from studies.pool import run_all
from studies.results import Results, Summary, summarise
from studies.study import Job, Network, Study, short


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a study and show it."""
    options = _options(arguments)
    warnings.filterwarnings("ignore", category=FutureWarning)
    console = Console(highlight=False)
    study = STUDIES[options.study]
    name = f"{study.name}-quick" if options.quick else study.name
    weights = options.output / "weights"
    console.print(f"[bold]{study.title}[/bold]; results: {options.output}")
    shown: dict[str, list[Summary]] = {}
    for network in study.networks:
        # A file for each network, so that two can be trained at the same time.
        results = Results(options.output / f"{name}-{network.name}.json")
        every = _jobs(study, network, options)
        if not options.networks or network.name in options.networks:
            jobs = [job for job in every if _wanted(job, options)]
            run_all(jobs, results, weights, options.workers, console)
            first = [job for job in jobs if job.seed == jobs[0].seed]
            if options.compile_only:
                latency.compile_all(network, first, weights, console)
            elif not options.no_latency:
                latency.measure(network, first, results, weights, console, options.real_time)
        # A part that was asked for is shown among what was trained before.
        if found := summarise(results, network, every):
            shown[network.name] = found
    goal = (10.0, 0.3) if study.name == "words" else (8.0, 0.5)
    for network in study.networks:
        if network.name in shown:
            print(tables.accuracy_table(network, shown[network.name]), end="\n\n")
            print(tables.latency_table(network, shown[network.name], study.unit), end="\n\n")
            print(tables.bars_table(network, shown[network.name], goal), end="\n\n")
    picture = plot.draw(study.title, shown, study.unit, options.output / f"{name}.png")
    console.print(f"picture: {picture}")


def _jobs(study: Study, network: Network, options: argparse.Namespace) -> list[Job]:
    """All trainings of a network."""
    plan = short(network.plan) if options.quick else network.plan
    if options.method:
        plan = replace(plan, method=options.method, options=None)
    return [
        Job(study.name, network.name, seed, point, plan, options.quick)
        for seed in range(options.seeds)
        for point in network.points
    ]


def _wanted(job: Job, options: argparse.Namespace) -> bool:
    """Whether a training is in the part that was asked for; the dense one always is."""
    assert job.point is not None
    return not job.point.scheme or (
        (not options.curves or job.point.curve in options.curves)
        and (not options.rates or job.point.rate in options.rates)
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/studies", description="Accuracy of pruned networks from real training runs."
    )
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each point")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="trainings side by side"
    )
    parser.add_argument("--networks", nargs="+", default=[], help="only these networks")
    parser.add_argument("--curves", nargs="+", default=[], help='only these, such as "BCR 8x36"')
    parser.add_argument("--rates", nargs="+", type=float, default=[], help="only these rates")
    parser.add_argument("--method", choices=("admm", "gradual"), help="instead of the study's own")
    parser.add_argument("--quick", action="store_true", help="little data, few epochs: a trial")
    parser.add_argument("--no-latency", action="store_true", help="do not compile and measure")
    parser.add_argument(
        "--compile-only", action="store_true", help="compile now and measure in the next run"
    )
    parser.add_argument(
        "--real-time", action="store_true", help="keep other programs away while measuring (root)"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of all results")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.workers < 1:
        parser.error("--seeds and --workers are at least 1")
    return options


if __name__ == "__main__":
    main()
