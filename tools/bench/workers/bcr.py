"""Our own compiler. Compiled in one process, loaded in another, as a user's program would."""

import time

import numpy as np

import bcr


def warm_up():
    import torch

    bcr.compile(torch.nn.Linear(2, 2).eval(), (torch.zeros(1, 2),))


def convert(case, product, threads, options):
    import torch

    torch.set_num_threads(threads)
    model = torch.load(case / "model.pt", weights_only=False)
    x = torch.from_numpy(np.load(case / "input.npy"))
    begin, processor = time.perf_counter(), time.process_time()
    exe = bcr.compile(model, (x,), sparsity=options["sparsity"], num_threads=threads)
    facts = {
        "seconds": time.perf_counter() - begin,
        "processor": time.process_time() - processor,
        "constants": exe.program.pool.size,
        "code": len(exe.program.code or b""),
    }
    exe.save(product / "model.bcr")
    return facts


class Runner:
    def __init__(self, case, product, threads, options):
        self._exe = bcr.load(product / "model.bcr")
        self._x = np.load(case / "input.npy")

    def run(self):
        self._y = self._exe(self._x)

    def output(self):
        return self._y
