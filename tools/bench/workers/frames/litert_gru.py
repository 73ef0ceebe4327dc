"""LiteRT (the former TensorFlow Lite), whose default CPU back end is XNNPACK."""

import sys
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

sys.path.append(str(Path(__file__).parent))
from frame_runner import FrameRunner, zeros


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        self._net = Interpreter(str(case / "tflite" / "model.tflite"), num_threads=threads)
        self._net.allocate_tensors()
        self._x, self._in = self._find(self._net.get_input_details())
        self._out, self._after = self._find(self._net.get_output_details())

    def _find(self, details):
        """The places of the sequence and of the state, which has two layers first."""
        state = [list(place["shape"]) == list(zeros().shape) for place in details]
        return details[state.index(False)]["index"], details[state.index(True)]["index"]

    def reset(self):
        self._h = zeros()

    def step(self, x):
        self._net.set_tensor(self._x, x)
        self._net.set_tensor(self._in, self._h)
        self._net.invoke()
        self._h = self._net.get_tensor(self._after)

    def result(self):
        return self._net.get_tensor(self._out)
