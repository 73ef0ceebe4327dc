"""torch.compile with its own back end; weights are constants, as in a deployed model."""

import os

import numpy as np
import torch
import torch._inductor.config


class Runner:
    def __init__(self, case, product, threads, options):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(product)
        torch.set_num_threads(threads)
        torch._inductor.config.freezing = True
        model = torch.load(case / "model.pt", weights_only=False)
        self._model = torch.compile(model)
        self._x = torch.from_numpy(np.load(case / "input.npy"))

    def run(self):
        with torch.no_grad():
            self._y = self._model(self._x)

    def output(self):
        return self._y.numpy()
