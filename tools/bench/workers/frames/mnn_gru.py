"""MNN, with its converter."""

import sys
from pathlib import Path

import MNN
import MNN.expr
import MNN.nn
import numpy as np

sys.path.append(str(Path(__file__).parent))
from frame_runner import FrameRunner, zeros


def convert(case, product, threads, options):
    # See mnn.py for why it is not the command `mnnconvert`.
    import _tools

    command = ["mnnconvert", "-f", "ONNX", "--bizCode", "bench"]
    command += ["--modelFile", str(case / "onnx" / "model.onnx")]
    command += ["--MNNModel", str(product / "model.mnn")]
    _tools.mnnconvert(command)
    if not (product / "model.mnn").exists():
        raise RuntimeError("the converter wrote nothing")


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        # A session does not know the shapes in the loop that a GRU becomes; a module does.
        # "high" is float32; "normal" may compute in less.
        runtime = MNN.nn.create_runtime_manager(
            ({"backend": "CPU", "numThread": threads, "precision": "high"},)
        )
        self._net = MNN.nn.load_module_from_file(
            str(product / "model.mnn"), ["x", "h"], ["y", "after"], runtime_manager=runtime
        )

    def reset(self):
        self._h = self._variable(zeros())

    def step(self, x):
        y, after = self._net.forward([self._variable(x), self._h])
        self._y = y.read()
        self._h = self._variable(np.array(after.read()))

    def result(self):
        return self._y

    def _variable(self, array):
        return MNN.expr.const(array, list(array.shape), MNN.expr.NCHW)
