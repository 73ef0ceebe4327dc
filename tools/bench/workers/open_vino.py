"""OpenVINO on the CPU in float32; it would choose bfloat16 where the processor has it."""

import numpy as np
import openvino


def make_request(case, threads):
    """A request of the case's model, compiled for the latency of one request at a time."""
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(case / "onnx" / "model.onnx"),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )
    return compiled.create_infer_request()


class Runner:
    def __init__(self, case, product, threads, options):
        self._request = make_request(case, threads)
        self._request.set_input_tensor(openvino.Tensor(np.load(case / "input.npy")))

    def run(self):
        self._request.infer()

    def output(self):
        return self._request.get_output_tensor().data
