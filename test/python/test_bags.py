"""Bags of embeddings: every mode, bags of one size and bags between offsets."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import bcr

MODES = ("sum", "mean", "max")


class Bags(nn.Module):
    """A table whose elements all differ, of 7 rows, the last of which may be padding."""

    def __init__(self, mode: str, padding: int | None) -> None:
        super().__init__()
        table = torch.arange(21.0).reshape(7, 3) * torch.tensor([1, -1, 0.5])
        self.bags = nn.EmbeddingBag.from_pretrained(table, mode=mode, padding_idx=padding)

    def forward(self, *inputs):
        return self.bags(*inputs)


def check(exe, model, *inputs) -> None:
    torch.testing.assert_close(exe(*inputs), model(*inputs), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [None, -1])
def test_of_one_size(mode, padding):
    model = Bags(mode, padding).eval()
    full = torch.tensor([[0, 5, 2, 2], [6, 1, 6, 3]])
    exe = bcr.compile(model, (full,), dynamic_shapes=(({0: torch.export.Dim("bags", max=9)},),))
    check(exe, model, full)
    check(exe, model, torch.tensor([[4, 4, 0, 1], [6, 6, 6, 6], [1, 2, 3, 6]]))
    with pytest.raises(bcr.InputError, match=r"7 elements, 0 to 6 are allowed \(in module bags"):
        exe(torch.tensor([[0, 1, 2, 7]]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("padding", [None, -1])
def test_between_offsets(mode, padding):
    model = Bags(mode, padding).eval()
    index, offsets = torch.tensor([0, 5, 2, 2, 6, 1, 3]), torch.tensor([0, 3, 3, 4])
    exe = bcr.compile(model, (index, offsets))
    check(exe, model, index, offsets)
    # The third bag is empty, the last has padding alone.
    check(exe, model, torch.tensor([6, 1, 3, 4, 4, 6, 6]), torch.tensor([0, 2, 5, 5]))


def test_end_of_the_last_bag_and_factors():
    class Weighted(nn.Module):
        def forward(self, table, index, offsets, factors):
            options = {"per_sample_weights": factors, "mode": "sum"}
            flat = F.embedding_bag(index, table, offsets, include_last_offset=True, **options)
            return flat, F.embedding_bag(index.view(2, 3), table, mode="sum")

    generator = torch.Generator().manual_seed(5)
    table, factors = torch.randn(4, 5, generator=generator), torch.rand(6, generator=generator)
    inputs = table, torch.tensor([3, 0, 1, 1, 2, 3]), torch.tensor([0, 1, 4, 6]), factors
    exe = bcr.compile(Weighted().eval(), inputs)
    for got, want in zip(exe(*inputs), Weighted()(*inputs), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_in_an_exported_program():
    model = Bags("mean", None).eval()
    index = torch.tensor([[0, 5, 2], [6, 1, 3]])
    program = torch.export.export(model, (index,))
    check(bcr.compile(program, (index,)), model, index)
