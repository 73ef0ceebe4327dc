"""ncnn in float32, a frame a call."""

import sys
from pathlib import Path

import ncnn
import numpy as np

sys.path.extend(str(folder) for folder in list(Path(__file__).parents)[:2])
from frame_runner import FrameRunner, zeros
from ncnn_net import open_net


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        self._net = open_net(case, threads)

    def reset(self):
        # ncnn has no dimension of samples, and refers to the array, it does not copy it.
        self._start = zeros()[:, 0]
        self._h = ncnn.Mat(self._start)

    def step(self, x):
        extractor = self._net.create_extractor()
        extractor.input("in0", ncnn.Mat(x[:, 0]))
        extractor.input("in1", self._h)
        _, self._y = extractor.extract("out0")
        _, self._h = extractor.extract("out1")

    def result(self):
        return np.array(self._y).reshape(-1, 1, 1024)
