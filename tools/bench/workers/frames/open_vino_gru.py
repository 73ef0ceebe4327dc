"""OpenVINO on the CPU in float32, a frame a call."""

import sys
from pathlib import Path

sys.path.extend(str(folder) for folder in list(Path(__file__).parents)[:2])
from frame_runner import FrameRunner
from open_vino import make_request


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        self._request = make_request(case, threads)
        self._x, self._h, self._y, self._after = (
            self._request.get_tensor(name).data for name in ("x", "h", "y", "after")
        )

    def reset(self):
        self._h[:] = 0

    def step(self, x):
        self._x[:] = x
        self._request.infer()
        self._h[:] = self._after

    def result(self):
        return self._y
