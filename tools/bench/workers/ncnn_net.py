"""ncnn in float32, from what pnnx makes of a TorchScript trace."""

import json

import ncnn
import numpy as np


def open_net(case, threads):
    """The case's network, held to float32."""
    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in ("packed", "storage", "arithmetic"):
        setattr(net.opt, f"use_fp16_{name}", False)
    net.opt.use_bf16_storage = False
    net.load_param(str(case / "ncnn" / "model.ncnn.param"))
    net.load_model(str(case / "ncnn" / "model.ncnn.bin"))
    return net


class Runner:
    def __init__(self, case, product, threads, options):
        self._shape = tuple(json.loads((case / "facts.json").read_text())["output"])
        self._net = open_net(case, threads)
        # ncnn refers to the array, it does not copy it.
        self._array = np.load(case / "input.npy")[0]
        self._x = ncnn.Mat(self._array)

    def run(self):
        extractor = self._net.create_extractor()
        extractor.input("in0", self._x)
        _, self._y = extractor.extract("out0")

    def output(self):
        return np.array(self._y).reshape(self._shape)
