"""Kernels under oclgrind: no race, no access outside of what the schedule states.

`test/python/oclgrind.py` runs the whole operator matrix; here is a slice of it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SLICE = [
    "conv2d_batch_3",
    "conv2d_depthwise_stride_2",
    "conv2d_grouped",
    "linear_3d",
    "pruned_both",
]


def test_operators():
    program = Path(__file__).with_name("oclgrind.py")
    # It breaks a model first: a fault that is not reported is a line of its own.
    command = [sys.executable, program, "--faults", *SLICE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=program.parent)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == f"0 of {len(SLICE)} cases with reports", "\n".join(lines)
    assert [line.split(":")[0] for line in lines] == SLICE
    for line in lines:
        assert float(line.split("error ")[1]) < 1e-5, line
