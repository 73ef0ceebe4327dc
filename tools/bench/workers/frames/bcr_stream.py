"""Our own compiler: compiled in one process, loaded in another, called as a stream."""

import sys
import time
from pathlib import Path

import numpy as np

import bcr

sys.path.append(str(Path(__file__).parent))
from frame_runner import FrameRunner


def convert(case, product, threads, options):
    import torch

    torch.set_num_threads(threads)
    model = torch.load(case / "gru.pt", weights_only=False)
    frames = torch.from_numpy(np.load(case / "frames.npy")[0])
    begin = time.perf_counter()
    exe = bcr.compile(model, (frames, torch.zeros(2, 1, 1024)), num_threads=threads)
    seconds = time.perf_counter() - begin
    exe.save(product / "model.bcr")
    return {"seconds": seconds}


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        exe = bcr.load(product / "model.bcr")
        self._stream = self.step = exe.stream({1: 1}, reuse=True)
        # The array that all calls return.
        self._y = self.step(self._pieces[0])

    def reset(self):
        self._stream.reset()

    def result(self):
        return self._y
