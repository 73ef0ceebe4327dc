"""ONNX Runtime, CPU execution provider, all graph optimisations."""

import numpy as np
import onnxruntime


class Runner:
    def __init__(self, case, product, threads, options):
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(case / "onnx" / "model.onnx"), settings, providers=["CPUExecutionProvider"]
        )
        self._feed = {self._session.get_inputs()[0].name: np.load(case / "input.npy")}

    def run(self):
        (self._y,) = self._session.run(None, self._feed)

    def output(self):
        return self._y
