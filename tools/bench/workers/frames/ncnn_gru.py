"""ncnn in float32, from what pnnx makes of a TorchScript trace."""

import sys
from pathlib import Path

import ncnn
import numpy as np

sys.path.append(str(Path(__file__).parent))
from frame_runner import FrameRunner, zeros


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        self._net = ncnn.Net()
        settings = self._net.opt
        settings.num_threads = threads
        for name in ("packed", "storage", "arithmetic"):
            setattr(settings, f"use_fp16_{name}", False)
        settings.use_bf16_storage = False
        self._net.load_param(str(case / "ncnn" / "model.ncnn.param"))
        self._net.load_model(str(case / "ncnn" / "model.ncnn.bin"))

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
