"""PyTorch: its own GRU, or the same equations on weights in CSR."""

import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parent))
from frame_runner import FrameRunner, zeros


def sparse_gru(model):
    """Return a function of a piece of frames and a state like the model, on weights in CSR."""
    layers = [
        [getattr(model, f"{kind}_l{i}").detach() for kind in
         ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        for i in range(model.num_layers)
    ]  # fmt: skip
    layers = [(w.to_sparse_csr(), u.to_sparse_csr(), b, c) for w, u, b, c in layers]

    def run(x, h):
        states = []
        y = x[:, 0].T
        for (w, u, b, c), state in zip(layers, h):
            # The products of the input for all steps at once, as PyTorch does it.
            gates = torch.addmm(b[:, None], w, y)
            now, results = state[0], []
            for step in gates.T:
                r, z, n = step.chunk(3)
                hr, hz, hn = torch.addmv(c, u, now).chunk(3)
                z = torch.sigmoid(z + hz)
                n = torch.tanh(n + torch.sigmoid(r + hr) * hn)
                now = torch.lerp(n, now, z)
                results.append(now)
            y = torch.stack(results, 1)
            states.append(now)
        return y.T[:, None], torch.stack(states)[:, None]

    return run


class Runner(FrameRunner):
    def load(self, case, product, threads, options):
        torch.set_num_threads(threads)
        model = torch.load(case / "gru.pt", weights_only=False)
        self._call = sparse_gru(model) if options.get("csr") else model

    def reset(self):
        self._h = torch.from_numpy(zeros())

    def step(self, x):
        with torch.inference_mode():
            self._y, self._h = self._call(torch.from_numpy(x), self._h)

    def result(self):
        return self._y.numpy()
