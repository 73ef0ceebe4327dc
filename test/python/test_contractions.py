"""Sums of products of two inputs, whatever is left at the edges of their tiles."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bcr
from bcr.emulate import Emulator

WIDTHS = (3, 4, 5, 17, 33, 50, 145)
HEIGHTS = (1, 9, 17)


class Products(nn.Module):
    """Matrices by matrices, and images by filters of their own."""

    def __init__(self, dtype: torch.dtype, widths=WIDTHS, heights=HEIGHTS) -> None:
        super().__init__()
        self.dtype, self.widths, self.heights = dtype, widths, heights

    def forward(self, x):
        results = []
        for width in self.widths:
            for height in self.heights:
                a, b = self._take(x, 2, height, 6), self._take(x, 2, 6, width)
                results.append(a @ b)
        image, filters = self._take(x, 2, 6, 9, 21), self._take(x, 12, 1, 3, 4)
        results.append(F.conv2d(image, filters[:6], padding=1, groups=6))
        results.append(F.conv2d(image.reshape(1, 12, 9, 21), filters, stride=2, groups=12))
        results.append(F.conv2d(image, self._take(x, 10, 3, 2, 5), padding=(0, 2), groups=2))
        return results

    def _take(self, x, *shape):
        count = torch.Size(shape).numel()
        return x[count % 7 : count % 7 + count].view(shape).to(self.dtype)


def check(exe, model, x, tolerance) -> None:
    for got, want in zip(exe(x), model(x), strict=True):
        torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_every_width_and_height(dtype, tolerance):
    model, x = Products(dtype).eval(), torch.randn(3000, generator=torch.Generator().manual_seed(2))
    check(bcr.compile(model, (x,)), model, x, tolerance)


def test_threads_share_what_is_large():
    class Large(nn.Module):
        def forward(self, a, b, w):
            flat = F.conv2d(b.reshape(1, 6, 33, 100), w, groups=6)
            return a @ b[0], a @ b, flat

    generator = torch.Generator().manual_seed(4)
    shapes = (40, 33), (6, 33, 100), (12, 1, 3, 3)
    inputs = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    exe, alone = (bcr.compile(Large().eval(), inputs, num_threads=n) for n in (2, 1))
    for got, same, want in zip(exe(*inputs), alone(*inputs), Large()(*inputs), strict=True):
        assert torch.equal(got, same)
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_on_aarch64():
    model = Products(torch.float32, widths=(3, 5, 17), heights=(2, 9)).eval()
    x = torch.randn(3000, generator=torch.Generator().manual_seed(6))
    with Emulator(bcr.compile(model, (x,), target="cortex-a76")) as run:
        for got, want in zip(run(x.numpy()), model(x), strict=True):
            torch.testing.assert_close(torch.tensor(got), want, rtol=1e-5, atol=1e-5)
