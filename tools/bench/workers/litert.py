"""LiteRT (the former TensorFlow Lite), whose default CPU back end is XNNPACK."""

import numpy as np
from ai_edge_litert.interpreter import Interpreter


class Runner:
    def __init__(self, case, product, threads, options):
        self._net = Interpreter(str(case / "tflite" / "model.tflite"), num_threads=threads)
        self._net.allocate_tensors()
        place = self._net.get_input_details()[0]
        self._net.set_tensor(place["index"], np.load(case / "input.npy"))
        self._output = self._net.get_output_details()[0]["index"]

    def run(self):
        self._net.invoke()

    def output(self):
        return self._net.get_tensor(self._output)
