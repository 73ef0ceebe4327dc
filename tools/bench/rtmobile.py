"""What RTMobile published for its GRU of 2x1024 units, beside what we measure.

Dong, Wang, Niu, Zhang, Lin, Li, Gong, Ren, Lin, Tao: "RTMobile: Beyond Real-Time Mobile
Acceleration of RNNs for Speech Recognition", DAC 2020, arXiv 2002.11474, Table II: a phone with a
Snapdragon 855, its GPU (Adreno 640, 16-bit floats) and its CPU (Kryo 485). The paper itself could
not be opened to compare the figures again; what was checked is that they agree with each other:
operations over time are the published GOP/s in every row.
"""

from __future__ import annotations

from dataclasses import dataclass

from bcr.tables import NUMBER, render
from bench.recurrent import FEATURES, UNITS, Result

WEIGHTS = 3 * UNITS * (FEATURES + 3 * UNITS)
"""Of both layers' matrices."""


@dataclass(frozen=True)
class Published:
    """A row of the table.

    Attributes:
        gop: 1e9 operations of what is called a frame there.
        gpu_us, cpu_us: its microseconds.
        gpu_gops, cpu_gops: GOP/s.
    """

    gop: float
    gpu_us: float
    gpu_gops: float
    cpu_us: float
    cpu_gops: float


PUBLISHED = {
    1: Published(0.5800, 3590.12, 161.55, 7130.00, 81.35),
    10: Published(0.0580, 495.26, 117.11, 1210.20, 47.93),
    19: Published(0.0330, 304.11, 108.51, 709.33, 46.52),
    29: Published(0.0207, 233.89, 88.29, 464.73, 44.43),
    43: Published(0.0143, 186.05, 76.86, 344.77, 41.48),
    80: Published(0.0080, 130.00, 61.54, 218.01, 36.70),
    103: Published(0.0062, 109.76, 56.59, 202.72, 30.68),
    153: Published(0.0042, 97.11, 42.96, 170.74, 24.44),
    245: Published(0.0028, 81.64, 34.30, 151.28, 18.51),
    301: Published(0.0024, 79.13, 30.33, 145.93, 16.45),
}
"""By rate."""


def steps_of_a_frame() -> float:
    """Steps of the network whose operations a published frame has: it must be a piece of speech."""
    return 1e9 * PUBLISHED[1].gop / (2 * WEIGHTS)


def table(result: Result) -> str:
    """One row per rate: published times and speeds, and ours for one step, one thread."""
    columns = [
        ("rate", NUMBER), ("GOP", NUMBER), ("GPU, us", NUMBER), ("CPU, us", NUMBER),
        ("GPU, GOP/s", NUMBER), ("CPU, GOP/s", NUMBER), ("ours, us a step", NUMBER),
        ("ours, GOP/s", NUMBER),
    ]  # fmt: skip
    rows = []
    for point in result.points:
        there = PUBLISHED[point.rate]
        step = point.ours.seconds.median / result.frames
        rows.append(
            [
                f"{point.rate}x", f"{there.gop:.4f}", f"{there.gpu_us:.1f}",
                f"{there.cpu_us:.1f}", f"{there.gpu_gops:.1f}", f"{there.cpu_gops:.1f}",
                f"{1e6 * step:.1f}", f"{1e-9 * 2 * WEIGHTS / point.reached / step:.1f}",
            ]
        )  # fmt: skip
    footer = (
        "RTMobile: DAC 2020, arXiv 2002.11474, Table II: Adreno 640 (16-bit floats) and Kryo 485 "
        f"of a phone\nof 2019. A frame there has the operations of {steps_of_a_frame():.0f} steps: "
        "compare GOP/s. Ours: 32-bit floats, one thread\nof this machine, "
        f"{result.frames} step(s) a call, two operations a kept weight"
    )
    return render("RTMobile's published table beside ours", columns, rows, footer)
