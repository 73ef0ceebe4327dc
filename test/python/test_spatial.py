"""Convolutions and upsampling, rewritten: the same numbers, and none of the zeros."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bcr
from bcr.frontend.spatial import DECOMPOSITIONS

aten = torch.ops.aten


@st.composite
def transposed(draw):
    """Sizes of a transposed convolution that torch takes and the rewrite does not refuse."""
    rank = draw(st.integers(1, 2))
    dims = []
    for _ in range(rank):
        stride = draw(st.integers(1, 4))
        kernel = draw(st.integers(stride, 7))
        padding = draw(st.integers(0, kernel - 1))
        more = draw(st.integers(0, stride - 1))
        size = draw(st.integers(1, 6))
        if (size - 1) * stride - 2 * padding + kernel + more < 1:
            padding = 0
        dims.append((size, kernel, stride, padding, more))
    groups = draw(st.integers(1, 3))
    return dims, groups, draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.booleans())


@given(transposed())
@settings(max_examples=150, deadline=None)
def test_phases_are_the_transposed_convolution(case):
    dims, groups, batch, per_group, with_bias = case
    sizes, kernel, stride, padding, more = zip(*dims)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(batch, 2 * groups, *sizes, generator=generator)
    weight = torch.randn(2 * groups, per_group, *kernel, generator=generator)
    bias = torch.randn(per_group * groups, generator=generator) if with_bias else None
    one = [1] * len(dims)
    arguments = (x, weight, bias, stride, padding, one, True, more, groups)
    got = DECOMPOSITIONS[aten.convolution.default](*arguments)
    if all(step == 1 for step in stride):
        assert got is NotImplemented
        return
    torch.testing.assert_close(got, aten.convolution.default(*arguments), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [
        ((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1)),
        ((1, 3, 2), (1, 2, 1), (0, 1, 0), (1, 1, 2)),
        ((2, 1, 3), (2, 1, 2), (1, 0, 2), (3, 1, 1)),
        ((5, 1, 1), (3, 1, 1), (2, 0, 0), (1, 1, 1)),
    ],
)
def test_slices_are_the_convolution_of_volumes(kernel, stride, padding, dilation, batch, groups):
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(batch, 2 * groups, 6, 5, 7, generator=generator)
    weight = torch.randn(2 * groups, 2, *kernel, generator=generator)
    bias = torch.randn(2 * groups, generator=generator)
    arguments = (x, weight, bias, stride, padding, dilation, False, [0, 0, 0], groups)
    got = DECOMPOSITIONS[aten.convolution.default](*arguments)
    torch.testing.assert_close(got, aten.convolution.default(*arguments), rtol=1e-5, atol=1e-5)


@st.composite
def bordered(draw):
    """Sizes of images and borders of them; a mirror needs more pixels than it shows."""
    rank = draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(1, 5), min_size=rank, max_size=rank))
    return sizes, [draw(st.integers(0, size - 1)) for size in reversed(sizes) for _ in range(2)]


@pytest.mark.parametrize("mode", ["reflection", "replication"])
@given(bordered(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_slices_are_the_border(mode, case, batch):
    sizes, pad = case
    if mode == "replication":
        pad = [3 * amount for amount in pad]
    elif batch:  # enough to show more pixels than are copied one by one
        sizes, pad = [2 * size + 8 for size in sizes], [3 * amount for amount in pad]
    operator = getattr(aten, f"{mode}_pad{len(sizes)}d").default
    x = torch.arange(3.0 * math.prod(sizes) * (1 + batch))
    x = x.reshape(*([2] if batch else []), 3, *sizes)
    assert torch.equal(DECOMPOSITIONS[operator](x, pad), operator(x, pad))


def test_borders_that_cut_are_left_to_torch():
    x = torch.randn(1, 2, 5)
    assert DECOMPOSITIONS[aten.reflection_pad1d.default](x, [-1, 2]) is NotImplemented


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_borders_are_not_looked_up(mode):
    """No position is read from memory: that takes fifteen times as long."""
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=(2, 1), padding_mode=mode)).eval()
    exe = bcr.compile(model, (torch.randn(2, 2, 6, 7),), verify=True)
    assert "tensor.extract " not in exe.mlir("raise")


def test_pruned_volumes_run_sparse():
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv3d(2, 16, 3, padding=1), nn.ReLU(), nn.Conv3d(16, 32, (3, 3, 1), stride=2)
    ).eval()
    pruner = bcr.Pruner(model, bcr.PruneConfig(rate=8, block=(8, 36), modules={"0": None}))
    pruner.finalize()
    exe = bcr.compile(model, (torch.randn(2, 2, 7, 8, 9),), sparsity="force", verify=True)
    first, second = exe.report().layers
    assert (first.shape, second.shape) == ((16, 54), (32, 144))
    assert (first.verdict, second.verdict) == ("dense", "picked")
    assert second.rate == pytest.approx(8)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("factors", [(2,), (3,), (1, 2), (2, 2), (4, 3)])
@pytest.mark.parametrize("sizes", [(1, 1), (2, 5), (7, 3)])
def test_whole_factors(mode, factors, sizes):
    rank = len(factors)
    x = torch.randn(2, 3, *sizes[:rank], generator=torch.Generator().manual_seed(5))
    name = f"upsample_{'bi' if (mode, rank) == ('linear', 2) else ''}{mode}{rank}d"
    extra = (False,) if mode == "linear" else ()
    rewrite = DECOMPOSITIONS[getattr(aten, name).vec]
    full = "bilinear" if rank == 2 and mode == "linear" else mode
    want = F.interpolate(x, scale_factor=factors, mode=full)
    torch.testing.assert_close(
        rewrite(x, None, *extra, [float(f) for f in factors]), want, rtol=1e-5, atol=1e-6
    )
    by_size = rewrite(x, list(want.shape[2:]), *extra, None)
    torch.testing.assert_close(by_size, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [
        ([5, 9], False, None), ([2, 4], False, None),
        (None, False, [1.5, 2.0]), (None, True, [2.0, 2.0]),
    ],
)  # fmt: skip
def test_other_factors_are_left_alone(arguments):
    x = torch.zeros(1, 2, 4, 8)
    assert DECOMPOSITIONS[aten.upsample_bilinear2d.vec](x, *arguments) is NotImplemented


def test_only_products_that_count_are_computed():
    torch.manual_seed(0)
    conv = nn.ConvTranspose2d(16, 8, (5, 4), stride=2, padding=1).eval()
    exe = bcr.compile(conv, (torch.randn(1, 16, 6, 7),), verify=True)
    sizes = sorted(layer.shape for layer in exe.report().layers)
    # 3 or 2 of five taps down, 2 of four across.
    assert sizes == [(8, 64), (8, 64), (8, 96), (8, 96)]


def test_a_decoder_with_a_batch_of_its_own():
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(8, 8, 3, padding=1), nn.Upsample(scale_factor=(1, 3)), nn.Conv2d(8, 2, 1),
    ).eval()  # fmt: skip
    x = torch.randn(2, 3, 5, 6)
    exe = bcr.compile(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    for batch in (1, 2, 3):
        x = torch.randn(batch, 3, 5, 6)
        with torch.no_grad():
            torch.testing.assert_close(exe(x), model(x), rtol=1e-5, atol=1e-5)


class Correlation(nn.Module):
    """Looks for each of some images in another, channel by channel."""

    def __init__(self, **options) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.arange(3.0))
        self.options = options

    def forward(self, x, z):
        batch, channels = x.shape[:2]
        flat = x.reshape(1, batch * channels, *x.shape[2:])
        filters = z.reshape(batch * channels, 1, *z.shape[2:])
        y = F.conv2d(flat, filters, groups=batch * channels, **self.options)
        return y.reshape(batch, channels, *y.shape[2:]) + self.bias[:, None, None]


@pytest.mark.parametrize(
    "options",
    [{}, {"padding": (1, 2)}, {"stride": (2, 3), "dilation": (2, 1)}],
    ids=["plain", "padded", "strided"],
)
def test_filters_of_a_batch_that_a_call_chooses(options):
    model = Correlation(**options).eval()
    generator = torch.Generator().manual_seed(11)
    cases = {
        n: (
            torch.randn(n, 3, 9, 11, generator=generator),
            torch.randn(n, 3, 2, 3, generator=generator),
        )
        for n in (2, 5, 1)
    }
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    exe = bcr.compile(model, cases[2], dynamic_shapes={"x": batch, "z": batch})
    for case in cases.values():
        torch.testing.assert_close(exe(*case), model(*case), rtol=1e-5, atol=1e-5)


def test_groups_of_several_channels_that_a_call_chooses_are_refused():
    class Modulated(nn.Module):
        def forward(self, x, w):
            batch, channels = x.shape[:2]
            flat = x.reshape(1, batch * channels, *x.shape[2:])
            return F.conv2d(flat, w.reshape(-1, *w.shape[2:]), groups=batch)

    batch = {0: torch.export.Dim("batch", min=2, max=64)}
    example = torch.randn(2, 3, 9, 11), torch.randn(2, 4, 3, 2, 2)
    with pytest.raises(bcr.UnsupportedError, match=r"convolution.*number of groups.*fix that size"):
        bcr.compile(Modulated().eval(), example, dynamic_shapes={"x": batch, "w": batch})
