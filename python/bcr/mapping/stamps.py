"""Running compiled code and reading the time stamps in it."""

from __future__ import annotations

import ctypes
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bcr.executable import Executable

_FEWEST = 7
"""Least number of runs."""


@dataclass(frozen=True)
class StampedRuns:
    """Times of a number of calls, each list rising, in seconds.

    Attributes:
        layers: of the layers, by the name that the compiler has for them.
        rest: of whole calls from Python, without their layers.
    """

    layers: dict[str, list[float]]
    rest: list[float]


def run_stamped(
    executable: Executable,
    inputs: Sequence[Any],
    seconds: float,
    before: Callable[[], object] = lambda: None,
) -> StampedRuns:
    """Call a compiled network for some seconds, at least seven times after the first one.

    `Executable.profile` shares the time of a call out among its layers; here a layer's time is its
    own, without a part of what Python takes around the call.

    Args:
        executable: compiled for this machine.
        inputs: its arguments.
        seconds: how long.
        before: called before each call.
    """
    slots = {
        name: int(info["profile_slot"])
        for name, info in executable.program.layers.items()
        if "profile_slot" in info
    }
    # Slot 0 and 1 are the whole function's.
    buffer = (ctypes.c_int64 * (2 * max(slots.values(), default=0) + 2))()
    executable.run_with_stamps(inputs, {}, buffer)
    calls: list[float] = []
    clock: list[tuple[float, int]] = []
    ticks: dict[str, list[int]] = {name: [] for name in slots}
    until = time.perf_counter() + seconds
    while len(calls) < _FEWEST or time.perf_counter() < until:
        before()
        begin = time.perf_counter()
        executable.run_with_stamps(inputs, {}, buffer)
        calls.append(time.perf_counter() - begin)
        clock.append((begin, buffer[0]))
        for name, slot in slots.items():
            ticks[name].append(max(buffer[2 * slot + 1] - buffer[2 * slot], 1))
    # The length of a tick, by the clock, over times so long that the call in between is nothing;
    # the median, since the process may lose its processor between the two readings.
    half = len(clock) // 2
    tick = statistics.median((b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(clock, clock[half:]))
    layers = {name: [tick * count for count in counts] for name, counts in ticks.items()}
    # Call by call: what disturbs a whole call and its layers alike is not taken for the rest.
    rest = [call - sum(parts) for call, *parts in zip(calls, *layers.values())]
    return StampedRuns({name: sorted(times) for name, times in layers.items()}, sorted(rest))


def lower_quartile(times: Sequence[float]) -> float:
    """Return the lower quartile of rising times.

    What disturbs a run makes it slower, never faster: on a machine that others use, this says more
    than the median and is as steady.
    """
    return times[len(times) // 4]
