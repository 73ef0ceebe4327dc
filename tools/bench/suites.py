"""The comparisons that are made together, and what they must show."""

from __future__ import annotations

from dataclasses import dataclass

from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text
from bench.case import Case
from bench.measure import Comparison


@dataclass(frozen=True)
class Goal:
    """How many times faster than the fastest dense peer a network must be on one thread."""

    network: str
    rate: float
    ratio: float

    @property
    def case(self) -> Case:
        """What to measure."""
        return Case(self.network, self.rate)


SPEED = (
    Goal("vgg16", 8, 3.5),
    Goal("resnet18", 8, 3.5),
    Goal("resnet50", 8, 4.0),
    Goal("mobilenet_v2", 4, 2.0),
    Goal("vgg16_cifar", 16, 7.0),
    Goal("vgg16_cifar", 50, 14.0),
    Goal("resnet18_cifar", 8, 4.5),
    Goal("resnet18_cifar", 16, 7.0),
    Goal("mobilenet_v2_cifar", 4, 2.0),
)

PAPERS = (("MNN", ("mnn",)), ("TVM", ("tvm-tuned", "tvm")), ("CSR", ("csr-torch", "csr-scipy")),
          ("LiteRT", ("litert",)))  # fmt: skip
"""Peers that the papers compare with: a title and keys, of which the first that was measured
counts, or the faster one for CSR."""


def summary(comparisons: list[Comparison]) -> str:
    """One row per comparison: our time, and how many times faster than whom."""
    goals = {(goal.network, goal.rate): goal.ratio for goal in SPEED}
    columns = [
        ("network", TEXT), ("rate", NUMBER), ("threads", NUMBER), ("bcr", NUMBER),
        ("fastest dense peer", TEXT), ("its time", NUMBER), ("bcr faster", NUMBER),
        ("wanted", NUMBER), ("bcr dense / fastest dense", NUMBER),
        *((title, NUMBER) for title, _ in PAPERS),
    ]  # fmt: skip
    rows = []
    for comparison in comparisons:
        ours, dense = comparison.find("bcr"), comparison.fastest_dense
        if ours is None or dense is None:
            continue
        case = comparison.case
        off = comparison.find("bcr-dense")
        goal = goals.get((case.network, case.rate)) if comparison.threads == 1 else None
        rows.append(
            (
                case.network,
                f"{case.rate:g}x",
                str(comparison.threads),
                time_text(ours.seconds.median),
                dense.peer.name,
                time_text(dense.seconds.median),
                f"{ours.faster_than(dense).median:.2f}x",
                f"{goal:.1f}x" if goal else "-",
                f"{1 / off.faster_than(dense).median:.2f}x" if off else "-",
                *(_against(comparison, keys) for _, keys in PAPERS),
            )
        )
    return render("bcr against the others (times faster)", columns, rows)


def _against(comparison: Comparison, keys: tuple[str, ...]) -> str:
    ours = comparison.find("bcr")
    found = [timing for key in keys if (timing := comparison.find(key))]
    if ours is None or not found:
        return "-"
    other = min(found, key=lambda t: t.seconds.median)
    name = " (untuned)" if other.peer.key == "tvm" else ""
    return f"{ours.faster_than(other).median:.2f}x{name}"


def memory(comparisons: list[Comparison]) -> str:
    """Peak memory above the process before it loaded the model, by peer."""
    names = list(dict.fromkeys(t.peer.name for c in comparisons for t in c.timings))
    columns = [("peak memory", TEXT), *((str(c.case), NUMBER) for c in comparisons)]
    rows = []
    for name in names:
        cells = []
        for comparison in comparisons:
            found = [t for t in comparison.timings if t.peer.name == name]
            cells.append(bytes_text(found[0].memory["peak"]) if found else "-")
        rows.append((name, *cells))
    return render("Loading and running, above the process before", columns, rows)


def scaling(comparisons: list[Comparison]) -> str:
    """How many times faster two threads are than one, by peer and case."""
    columns = [("network", TEXT), ("peer", TEXT), ("1 thread", NUMBER), ("2 threads", NUMBER),
               ("faster", NUMBER)]  # fmt: skip
    rows = []
    one = {str(c.case): c for c in comparisons if c.threads == 1}
    for comparison in comparisons:
        if comparison.threads != 2 or str(comparison.case) not in one:
            continue
        for timing in comparison.timings:
            if before := one[str(comparison.case)].find(timing.peer.key):
                a, b = before.seconds.median, timing.seconds.median
                rows.append((str(comparison.case), timing.peer.name, time_text(a), time_text(b),
                             f"{a / b:.2f}x"))  # fmt: skip
    return render("Two threads over one", columns, rows)
