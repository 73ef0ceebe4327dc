"""ONNX Runtime, CPU execution provider, all graph optimisations."""

import sys
from pathlib import Path

import onnxruntime

sys.path.append(str(Path(__file__).parent))
from frame_runner import FrameRunner, zeros


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(case / "onnx" / "model.onnx"), settings, providers=["CPUExecutionProvider"]
        )

    def reset(self):
        self._h = zeros()

    def step(self, x):
        self._y, self._h = self._session.run(None, {"x": x, "h": self._h})

    def result(self):
        return self._y
