"""MNN, with its converter."""

import sys
from pathlib import Path

import MNN
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
        self._net = MNN.Interpreter(str(product / "model.mnn"))
        # "high" is float32; "normal" may compute in less.
        self._session = self._net.createSession(
            {"backend": "CPU", "numThread": threads, "precision": "high"}
        )
        steps = np.load(case / "frames.npy", mmap_mode="r").shape[1]
        self._places = [self._net.getSessionInput(self._session, name) for name in ("x", "h")]
        for place, shape in zip(self._places, ((steps, 1, 39), zeros().shape)):
            self._net.resizeTensor(place, shape)
        self._net.resizeSession(self._session)
        self._y, self._after = (
            self._tensor(np.zeros(shape, np.float32)) for shape in ((steps, 1, 1024), zeros().shape)
        )
        self._shape = (steps, 1, 1024)

    def reset(self):
        self._h = self._tensor(zeros())

    def step(self, x):
        self._places[0].copyFrom(self._tensor(x))
        self._places[1].copyFrom(self._h)
        self._net.runSession(self._session)
        self._net.getSessionOutput(self._session, "y").copyToHostTensor(self._y)
        self._net.getSessionOutput(self._session, "after").copyToHostTensor(self._after)
        self._h = self._after

    def result(self):
        return np.array(self._y.getData(), np.float32).reshape(self._shape)

    def _tensor(self, array):
        return MNN.Tensor(array.shape, MNN.Halide_Type_Float, array, MNN.Tensor_DimensionType_Caffe)
