"""OpenVINO on the CPU in float32; it would choose bfloat16 where the processor has it."""

import sys
from pathlib import Path

import openvino

sys.path.append(str(Path(__file__).parent))
from frame_runner import FrameRunner


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
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
        self._request = compiled.create_infer_request()
        self._x, self._h, self._y, self._after = (
            self._request.get_tensor(name).data for name in ("x", "h", "y", "after")
        )

    def reset(self):
        self._h[:] = 0

    def step(self, x):
        self._x[:] = x
        self._request.infer()
        self._h[:] = self._after

    def result(self):
        return self._y
