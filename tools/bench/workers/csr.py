"""The pruned weights as CSR, in the two libraries people reach for first.

A pruned convolution becomes im2col and a sparse-times-dense product; for a 1x1 convolution of
stride 1 the image is that matrix already. Layers without zeros, the first and the depthwise ones,
stay PyTorch's own.
"""

import numpy as np
import scipy.sparse
import torch
from torch import nn
from torch.nn import functional


class TorchMatrix:
    def __init__(self, dense):
        self._matrix = dense.to_sparse_csr()

    def __matmul__(self, x):
        return self._matrix @ x


class ScipyMatrix:
    def __init__(self, dense):
        self._matrix = scipy.sparse.csr_matrix(dense.numpy())

    def __matmul__(self, x):
        return torch.from_numpy(self._matrix @ x.numpy())


class SparseConv(nn.Module):
    def __init__(self, conv, matrix):
        super().__init__()
        self._matrix = matrix(conv.weight.detach().flatten(1))
        self._bias = None if conv.bias is None else conv.bias.detach()[:, None]
        self._window = {
            "kernel_size": conv.kernel_size,
            "stride": conv.stride,
            "padding": conv.padding,
            "dilation": conv.dilation,
        }
        self._is_matrix = conv.kernel_size == (1, 1) and conv.stride == (1, 1)

    def forward(self, x):
        window = self._window
        size = [
            (x.shape[i + 2] + 2 * window["padding"][i]
             - window["dilation"][i] * (window["kernel_size"][i] - 1) - 1)
            // window["stride"][i] + 1
            for i in range(2)
        ]  # fmt: skip
        columns = x.flatten(2) if self._is_matrix else functional.unfold(x, **window)
        y = self._matrix @ columns[0]
        if self._bias is not None:
            y = y + self._bias
        return y.reshape(1, -1, *size)


class SparseLinear(nn.Module):
    def __init__(self, linear, matrix):
        super().__init__()
        self._matrix = matrix(linear.weight.detach())
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x):
        y = (self._matrix @ x.T.contiguous()).T
        return y if self._bias is None else y + self._bias


def replace_pruned(module, matrix):
    """Replace each layer that is mostly zeros, in place."""
    for name, child in module.named_children():
        weight = getattr(child, "weight", None)
        pruned = weight is not None and (weight == 0).float().mean() > 0.3
        if pruned and isinstance(child, nn.Conv2d) and child.groups == 1:
            setattr(module, name, SparseConv(child, matrix))
        elif pruned and isinstance(child, nn.Linear):
            setattr(module, name, SparseLinear(child, matrix))
        else:
            replace_pruned(child, matrix)


class Runner:
    def __init__(self, case, product, threads, options):
        torch.set_num_threads(threads)
        matrix = {"torch": TorchMatrix, "scipy": ScipyMatrix}[options["library"]]
        # In a container: the model itself may be the one layer that is replaced.
        self._model = nn.Sequential(torch.load(case / "model.pt", weights_only=False))
        replace_pruned(self._model, matrix)
        self._x = torch.from_numpy(np.load(case / "input.npy"))

    def run(self):
        with torch.inference_mode():
            self._y = self._model(self._x)

    def output(self):
        return self._y.numpy()
