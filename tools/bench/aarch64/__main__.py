"""Measure AArch64 code without an AArch64 machine; see README.md.

tools/bench/aarch64/run layers [--cpu cortex-a76] [--least 0.85] [NETWORK ...]
tools/bench/aarch64/run networks [--cpu cortex-a76] [--rate 8] [NETWORK ...]
tools/bench/aarch64/run recurrent [--cpu cortex-a76]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import bcr
from bench.aarch64.bound import CORES


def run_layers(options: argparse.Namespace) -> list[Any]:
    """Model the hot loops; the process ends with 1 if one is below `--least` of its bound."""
    from bench.aarch64 import layers

    target = bcr.Target("aarch64-linux-gnu", options.cpu)
    networks = options.networks or list(layers.NETWORKS)
    results = list(layers.model_layers(networks, options.rate, target, options.model))
    print(layers.table(results, options.cpu, options.model))
    fast = [result for result in results if result.share >= options.least]
    print(f"{len(fast)} of {len(results)} layers reach {options.least:.0%} of two fmla a cycle")
    below = [result.layer for result in results if result.share_of_bound < options.least]
    print(f"{len(results) - len(below)} reach {options.least:.0%} of their bound")
    if below:
        print("below: " + "; ".join(below))
        options.status = 1
    return results


def run_networks(options: argparse.Namespace) -> list[Any]:
    """Count the instructions of whole networks."""
    from bench.aarch64 import networks
    from bench.case import Case

    counts = []
    for name in options.networks or ["resnet18", "resnet50", "mobilenet_v2", "vgg16_cifar"]:
        rate = min(options.rate, 4.0) if "mobilenet" in name else options.rate
        counts += networks.count_case(Case(name, rate), options.cpu)
        print(networks.table(counts), file=sys.stderr)
    print(networks.table(counts))
    return counts


def run_recurrent(options: argparse.Namespace) -> list[Any]:
    """Take a GRU at the rates of its benchmark that are spoken of most: loops and instructions."""
    from bench.aarch64 import recurrent

    rates = (1, 10, 29)
    target = bcr.Target("aarch64-linux-gnu", options.cpu)
    results = list(recurrent.model_rates(rates, target, options.model))
    print(recurrent.table(results, options.cpu, options.model))
    counts = [recurrent.count_rate(rate, options.cpu) for rate in rates]
    print(recurrent.count_table(counts, options.cpu))
    return [*results, *counts]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="tools/bench/aarch64/run", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", choices=("layers", "networks", "recurrent"))
    parser.add_argument("networks", nargs="*", help="networks of bcr.models; default: all")
    parser.add_argument("--cpu", default="cortex-a76", help="processor to compile for and emulate")
    parser.add_argument(
        "--model", default="neoverse-n1", choices=list(CORES), help="processor of llvm-mca"
    )
    parser.add_argument("--rate", type=float, default=8)
    parser.add_argument(
        "--least", type=float, default=0.85, help="share of its bound that a layer must reach"
    )
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    options.status = 0
    torch.set_num_threads(1)
    run = {"layers": run_layers, "networks": run_networks, "recurrent": run_recurrent}
    results = run[options.what](options)
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    sys.exit(options.status)


if __name__ == "__main__":
    main()
