"""Run a peer a given number of times in an emulated Python, and write its output.

python calls.py WORKER CASE PRODUCT OPTIONS COUNT OUTPUT

WORKER is a file of `workers/`, OPTIONS its options as JSON. Needs NumPy and what the peer imports.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    """Load, run and write."""
    worker, case, product, options, count, output = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("bench_peer", worker)
    assert spec is not None
    assert spec.loader is not None
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    runner = peer.Runner(Path(case), Path(product), 1, json.loads(options))
    for _ in range(int(count)):
        runner.run()
    np.save(output, runner.output())


if __name__ == "__main__":
    main()
