"""MNN, with its converter; option `sparse` turns on its sparse kernels."""

import json

import MNN
import numpy as np


def convert(case, product, threads, options):
    # The extension behind the command `mnnconvert`: the command itself runs pip in whatever Python
    # comes first on the path and reports each conversion to a server.
    import _tools

    command = ["mnnconvert", "-f", "ONNX", "--bizCode", "bench"]
    command += ["--modelFile", str(case / "onnx" / "model.onnx")]
    command += ["--MNNModel", str(product / "model.mnn")]
    if options.get("sparse"):
        command.append("--detectSparseSpeedUp")
    _tools.mnnconvert(command)
    if not (product / "model.mnn").exists():
        raise RuntimeError("the converter wrote nothing")


class Runner:
    def __init__(self, case, product, threads, options):
        self._x = x = np.load(case / "input.npy")
        self._shape = tuple(json.loads((case / "facts.json").read_text())["output"])
        self._net = MNN.Interpreter(str(product / "model.mnn"))
        # "high" is float32; "normal" may compute in less.
        self._session = self._net.createSession(
            {"backend": "CPU", "numThread": threads, "precision": "high"}
        )
        self._place = self._net.getSessionInput(self._session)
        self._net.resizeTensor(self._place, x.shape)
        self._net.resizeSession(self._session)
        self._input = self._tensor(x)

    def run(self):
        # The memory of the input is used for other tensors during a run.
        self._place.copyFrom(self._input)
        self._net.runSession(self._session)

    def output(self):
        host = self._tensor(np.zeros(self._shape, np.float32))
        self._net.getSessionOutput(self._session).copyToHostTensor(host)
        return np.array(host.getData(), np.float32).reshape(self._shape)

    def _tensor(self, array):
        return MNN.Tensor(array.shape, MNN.Halide_Type_Float, array, MNN.Tensor_DimensionType_Caffe)
