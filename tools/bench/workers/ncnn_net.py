"""ncnn in float32, from what pnnx makes of a TorchScript trace."""

import json

import ncnn
import numpy as np


class Runner:
    def __init__(self, case, product, threads, options):
        self._shape = tuple(json.loads((case / "facts.json").read_text())["output"])
        self._net = ncnn.Net()
        settings = self._net.opt
        settings.num_threads = threads
        for name in ("packed", "storage", "arithmetic"):
            setattr(settings, f"use_fp16_{name}", False)
        settings.use_bf16_storage = False
        self._net.load_param(str(case / "ncnn" / "model.ncnn.param"))
        self._net.load_model(str(case / "ncnn" / "model.ncnn.bin"))
        # ncnn refers to the array, it does not copy it.
        self._array = np.load(case / "input.npy")[0]
        self._x = ncnn.Mat(self._array)

    def run(self):
        extractor = self._net.create_extractor()
        extractor.input("in0", self._x)
        _, self._y = extractor.extract("out0")

    def output(self):
        return np.array(self._y).reshape(self._shape)
