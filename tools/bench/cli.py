"""The command line."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import CACHE, environments, machine, results, suites, tables
from bench.case import Case
from bench.measure import Comparison, compare
from bench.peers import PEERS, select
from bench.realtime import real_time

NETWORKS = ("vgg16", "resnet18", "resnet50", "mobilenet_v2")
SMALL = ("vgg16_cifar", "resnet18_cifar", "mobilenet_v2_cifar")


def main(arguments: list[str] | None = None) -> None:
    """Run one command and print its tables."""
    options = _parser().parse_args(arguments)
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/bench/run", description="Measures compiled networks beside other runtimes."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(run=run)
        return sub

    def shared(sub: argparse.ArgumentParser, rate: bool = True) -> None:
        if rate:
            sub.add_argument("--rate", type=float, default=8, help="weights over kept weights")
        sub.add_argument("--block", type=int, nargs=2, default=(8, 64), metavar=("ROWS", "COLUMNS"))
        sub.add_argument("--scheme", choices=("columns", "rows", "both"), default="columns")
        sub.add_argument("--json", type=Path, help="where to write the result")
        sub.add_argument(
            "--real-time",
            action="store_true",
            help="keep other programs away from what is timed (SCHED_RR; needs root)",
        )

    def peers(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--threads", type=int, nargs="+", default=[1])
        sub.add_argument(
            "--peers", nargs="+", default=[], metavar="PEER",
            help=f"any of {', '.join(p.key for p in PEERS)}; default: all but the slow ones, "
            f"{', '.join(p.key for p in PEERS if p.slow)}",
        )  # fmt: skip
        sub.add_argument("--also", nargs="+", default=[], metavar="PEER", help="slow ones to add")
        sub.add_argument("--rounds", type=int, default=15, help="turns of each peer")
        sub.add_argument("--seconds", type=float, default=0.05, help="length of a turn")

    sub = command("networks", _networks, "Time networks on ours and on the peers.")
    sub.add_argument("networks", nargs="+", choices=NETWORKS + SMALL, metavar="NETWORK")
    shared(sub)
    peers(sub)

    sub = command("speed", _speed, "Time every network that has a goal, and compare with it.")
    sub.add_argument("networks", nargs="*", metavar="NETWORK", help="only these")
    shared(sub, rate=False)
    peers(sub)

    sub = command("layers", _layers, "Time single convolutions, each shape of the networks once.")
    sub.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    sub.add_argument("--threads", type=int, default=1)
    sub.add_argument("--only", default="", help="layers with this text in their name")
    shared(sub)

    sub = command("profile", _profile, "Time the layers inside compiled networks.")
    sub.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    sub.add_argument("--threads", type=int, default=1)
    sub.add_argument("--sparsity", choices=("auto", "force", "off"), default="auto")
    shared(sub)

    sub = command("sweep", _sweep, "Compare sparsity=auto with our dense code at many rates.")
    sub.add_argument("networks", nargs="*", default=NETWORKS + SMALL, metavar="NETWORK")
    sub.add_argument("--rates", type=float, nargs="+")
    sub.add_argument("--threads", type=int, default=1)
    sub.add_argument("--rounds", type=int, default=5)
    shared(sub, rate=False)

    sub = command("tuning", _tuning, "Compare the cost model's schedules with tuned ones.")
    sub.add_argument("networks", nargs="*", metavar="NETWORK", help="default: with their rates")
    sub.add_argument("--rate", type=float, help="weights over kept weights")
    sub.add_argument("--seconds", type=float, default=120, help="for measuring one network")
    sub.add_argument("--trials", type=int, default=64, help="most schedules of a layer")
    sub.add_argument("--records", type=Path, help="record file, made if missing")
    shared(sub, rate=False)

    sub = command("compile", _compile, "Time compilation itself: seconds, memory, sizes.")
    sub.add_argument("networks", nargs="*", default=NETWORKS, metavar="NETWORK")
    sub.add_argument("--threads", type=int, default=1)
    shared(sub)

    sub = command("recurrent", _recurrent, "Time a GRU frame by frame at RTMobile's rates.")
    sub.add_argument("--rates", type=int, nargs="+", metavar="RATE")
    sub.add_argument(
        "--scheme", choices=("steps", "columns", "both"), default="steps",
        help="two steps as in RTMobile, or a scheme of bcr.Pruner in blocks of 8x64",
    )  # fmt: skip
    sub.add_argument("--frames", type=int, nargs="+", default=(1, 100), help="frames of a call")
    sub.add_argument("--rounds", type=int, default=12, help="turns of each peer")
    sub.add_argument("--seconds", type=float, default=0.03, help="length of a turn")
    sub.add_argument("--prepare", action="store_true", help="convert and compile only")
    sub.add_argument("--prepared", action="store_true", help="measure what was compiled last")
    sub.add_argument("--json", type=Path, help="where to write the result")
    sub.add_argument("--real-time", action="store_true", help="as of networks")

    sub = command("machine", _machine, "Measure the limits of a core, and how far two are apart.")
    sub.add_argument("--real-time", action="store_true")

    sub = command("install", _install, "Install the environments of all peers.")
    sub.add_argument("environments", nargs="*", default=list(environments.REQUIREMENTS))
    return parser


def _case(options: argparse.Namespace, network: str, rate: float) -> Case:
    return Case(network, rate, tuple(options.block), options.scheme)


def _compare_all(options: argparse.Namespace, cases: list[Case], name: str) -> None:
    chosen = select(options.peers, options.also)
    units = machine.units()
    with real_time(options.real_time):
        limits = _limits(units)
    comparisons: list[Comparison] = []
    for case in cases:
        for threads in options.threads:
            comparison = compare(
                case, chosen, threads, rounds=options.rounds, seconds=options.seconds,
                units=units, real_time=options.real_time,
            )  # fmt: skip
            comparisons.append(comparison)
            print(tables.peers_table(comparison), end="\n\n", flush=True)
    if not comparisons:
        return
    print(suites.summary(comparisons))
    print(suites.memory(comparisons))
    if len(options.threads) > 1:
        print(suites.scaling(comparisons))
    values = [results.comparison_dict(comparison) for comparison in comparisons]
    _write(options, name, {"bandwidth": limits, "comparisons": values})


def _networks(options: argparse.Namespace) -> None:
    _compare_all(options, [_case(options, n, options.rate) for n in options.networks], "networks")


def _speed(options: argparse.Namespace) -> None:
    goals = [g for g in suites.SPEED if not options.networks or g.network in options.networks]
    _compare_all(options, [_case(options, g.network, g.rate) for g in goals], "speed")


def _layers(options: argparse.Namespace) -> None:
    from bench import layers

    units = machine.units()
    where = layers.convolutions(options.networks)
    timings: list[layers.LayerTiming] = []
    peaks: list[float] = []
    case = _case(options, "layers", options.rate)
    for layer in where:
        if options.only in str(layer):
            _progress(str(layer))
            timings += layers.measure(
                layer, case, threads=options.threads, priority=options.real_time
            )
            with real_time(options.real_time):
                peaks.append(units[0].gflops())
    if not timings:
        raise SystemExit(
            f"no layer of {', '.join(options.networks)} has {options.only!r} in its name"
        )
    block = "x".join(map(str, options.block))
    title = f"{options.threads} thread(s), f32, batch 1, {options.rate:g}x, blocks {block}"
    print(layers.table(timings, where, units[0], max(peaks), title))
    _write(
        options, "layers",
        {"peak": max(peaks), "layers": [t.to_dict() for t in timings]},
    )  # fmt: skip


def _profile(options: argparse.Namespace) -> None:
    from bench import inside

    units = machine.units()
    found = []
    for network in options.networks:
        case = _case(options, network, options.rate)
        _progress(str(case))
        result = inside.measure(
            case, options.sparsity, threads=options.threads, unit=units[0],
            priority=options.real_time,
        )  # fmt: skip
        print(inside.table(result, units[0]))
        found.append(result.to_dict())
    _write(options, "profile", {"networks": found})


def _sweep(options: argparse.Namespace) -> None:
    from bench import sweep

    points: list[sweep.Point] = []
    for network in options.networks:
        for rate in options.rates or sweep.RATES:
            case = _case(options, network, rate)
            _progress(str(case))
            points += sweep.measure(
                case, threads=options.threads, rounds=options.rounds, priority=options.real_time
            )
    print(sweep.table(points))
    _write(options, "sweep", {"points": [asdict(point) for point in points]})


def _tuning(options: argparse.Namespace) -> None:
    import bcr
    from bench import tuning

    CACHE.mkdir(parents=True, exist_ok=True)
    config = bcr.TuneConfig(
        options.records or CACHE / "tuning-records.json", options.seconds, options.trials
    )
    found = []
    for network in options.networks or tuning.RATES:
        case = _case(options, network, options.rate or tuning.RATES.get(network, 8.0))
        _progress(str(case))
        result = tuning.measure(case, config, priority=options.real_time)
        print(tuning.table(result))
        found.append(result.to_dict())
    _write(options, "tuning", {"networks": found})


def _compile(options: argparse.Namespace) -> None:
    from bench import compilation

    found = []
    for network in options.networks:
        for rate, sparsity in ((1.0, "off"), (options.rate, "auto")):
            case = _case(options, network, rate)
            _progress(f"{case}, {sparsity}")
            found.append(compilation.measure(case, sparsity, options.threads))
    print(compilation.table(found))
    _write(options, "compile", {"networks": [asdict(result) for result in found]})


def _recurrent(options: argparse.Namespace) -> None:
    from bench import recurrent, recurrent_tables, rtmobile

    rates = options.rates or list(recurrent.STEPS)
    if unknown := set(rates) - set(recurrent.STEPS):
        raise SystemExit(f"no rate {unknown}; there are {', '.join(map(str, recurrent.STEPS))}")
    for frames in options.frames:
        recurrent.convert(frames, rates, recurrent.DENSE, options.scheme, not options.prepared)
    if options.prepare:
        return
    unit = machine.units()[0]
    found = []
    accounts: list[recurrent_tables.Account] = []
    for frames in options.frames:
        result = recurrent.measure(
            frames, rates, recurrent.DENSE, rounds=options.rounds, seconds=options.seconds,
            unit=unit, scheme=options.scheme, real_time=options.real_time,
        )  # fmt: skip
        print(recurrent_tables.rates_table(result), end="\n\n")
        print(recurrent_tables.peers_table(result), end="\n\n", flush=True)
        print(rtmobile.table(result), end="\n\n", flush=True)
        found.append(recurrent.to_dict(result))
        if frames == 1:
            accounts = recurrent_tables.account(result, options.scheme, options.real_time)
            print(recurrent_tables.accounts_table(accounts), end="\n\n")
    _write(options, "recurrent", {"calls": found, "accounts": [asdict(a) for a in accounts]})


def _machine(options: argparse.Namespace) -> None:
    units = machine.units()
    with real_time(options.real_time):
        for unit in units:
            print(f"{unit.name}: {unit.gflops():.0f} GFLOP/s a core")
        for level, value in _limits(units).items():
            print(f"{level}: {value:.0f} GB/s")
        handover = units[0].handover()
    if handover is not None:
        print(f"core to core: {1e9 * handover:.0f} ns a cache line")


def _install(options: argparse.Namespace) -> None:
    for name in options.environments:
        print(environments.python(name))


def _limits(units: tuple[machine.Unit, ...]) -> dict[str, float]:
    """Bandwidth by level, the best of the vector units."""
    found = [machine.bandwidths(unit) for unit in units]
    return {level: max(each[level] for each in found) for level in found[0]}


def _progress(what: str) -> None:
    print(f"  {what}", file=sys.stderr, flush=True)


def _write(options: argparse.Namespace, name: str, value: dict[str, Any]) -> None:
    print(f"\nwritten: {results.write(name, results.header() | value, options.json)}")
