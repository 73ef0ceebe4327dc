"""PyTorch as it is without compilation: the reference for the numbers, too."""

import numpy as np
import torch


class Runner:
    def __init__(self, case, product, threads, options):
        torch.set_num_threads(threads)
        self._model = torch.load(case / "model.pt", weights_only=False)
        self._x = torch.from_numpy(np.load(case / "input.npy"))

    def run(self):
        with torch.inference_mode():
            self._y = self._model(self._x)

    def output(self):
        return self._y.numpy()
