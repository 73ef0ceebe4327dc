"""Every pruning scheme: exact counts, largest norms, ties, ragged edges, groups and thresholds."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bcr import ConfigError, PruneConfig, Pruner
from bcr.pruning.config import LayerConfig
from bcr.pruning.layer import Layer
from bcr.pruning.schemes import choose_masks, group_norms, threshold_masks

RANKED = ["columns", "rows", "both", "block-punched", "filter", "channel", "unstructured"]
SCHEMES = [*RANKED, "bsp", "2:4", "1:4", "3:7", "pattern"]


def layer_of(
    shape, scheme, rate=2, *, groups=1, block=(4, 8), name="layer", weight=None, **options
):
    """A layer of this weight shape; the weights are distinct unless given."""
    if len(shape) == 2:
        module = nn.Linear(shape[1], shape[0])
    else:
        kind = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}[len(shape)]
        module = kind(shape[1] * groups, shape[0], shape[2:], groups=groups)
    if weight is None:
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(math.prod(shape)))
    with torch.no_grad():
        module.weight.copy_(weight.view(shape))
    return Layer(name, module, LayerConfig(rate, block, scheme, **options))


def mask_of(layer, **arguments):
    return choose_masks([layer], **arguments)[layer.name]


def budget(count, rate):
    return math.floor(count / rate * (1 + 1e-12))


def lines(mask, axis):
    """The kept lines of a mask; fails unless each line is kept or dropped whole."""
    any_, all_ = mask.any(dim=axis), mask.all(dim=axis)
    assert torch.equal(any_, all_)
    return any_


@st.composite
def problems(draw, schemes=SCHEMES):
    scheme = draw(st.sampled_from(schemes))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    kernel = (3, 3) if scheme == "pattern" else draw(st.sampled_from([(), (1, 1), (3, 3), (2, 5)]))
    if not kernel:
        groups = 1
    shape = (groups * draw(st.integers(1, 12)), draw(st.integers(1, 13)), *kernel)
    values = draw(st.sampled_from(["distinct", "few", "equal", "zero"]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    if values == "distinct":
        weight = torch.randn(shape, generator=generator)
    elif values == "few":  # a kept weight that is zero has no pattern, see schemes/pattern.py
        low = 1 if scheme == "pattern" else 0
        weight = torch.randint(low, 4, shape, generator=generator).float()
        weight *= torch.randint(0, 2, shape, generator=generator) * 2 - 1
    else:
        weight = torch.full(shape, 1.5 if values == "equal" else 0.0)
    return layer_of(
        shape,
        scheme,
        draw(st.sampled_from([1, 1.5, 2, 1 / 0.3, 8, 1000.0]) | st.floats(1, 50)),
        groups=groups,
        block=draw(st.just("matrix") | st.tuples(st.integers(1, 9), st.integers(1, 40))),
        weight=weight,
        ranking=draw(st.sampled_from(["block", "layer", "network"])),
        kernel_block=draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        patterns=draw(st.sampled_from([1, 3, 8, 56])),
        column_rate=draw(st.sampled_from([None, 1, 3])),
    )


@settings(max_examples=300, deadline=None)
@given(problems())
def test_projection(layer):
    """Idempotent, pure, at the asked rate and never empty unless asked."""
    matrix, rate = layer.matrix().clone(), layer.settings.rate
    mask = mask_of(layer)
    assert mask.dtype == torch.bool
    assert mask.shape == matrix.shape
    assert torch.equal(layer.matrix(), matrix)
    assert torch.equal(mask_of(layer), mask)

    once = matrix * mask
    again = mask_of(layer, matrices={"layer": once})
    assert torch.equal(once * again, once)

    kept, allowed = int(mask.sum()), budget(matrix.numel(), rate)
    if ":" not in layer.settings.scheme:
        assert (kept >= 1) == (allowed >= 1)
        assert kept == matrix.numel() or rate > 1


@settings(max_examples=200, deadline=None)
@given(problems(RANKED))
def test_ranked_schemes_keep_within_the_budget(layer):
    """Over the budget only where a single group is already more than it."""
    mask = mask_of(layer)
    allowed = budget(mask.numel(), layer.settings.rate)
    if int(mask.sum()) > allowed:
        sizes = torch.cat([n.flatten() for n in group_norms(layer, torch.ones(mask.shape))])
        assert mask.sum() in sizes


@settings(max_examples=100, deadline=None)
@given(problems(["unstructured", "filter"]))
def test_counts_of_equal_groups_are_exact(layer):
    mask = mask_of(layer)
    m, k = mask.shape
    allowed = budget(m * k, layer.settings.rate)
    if layer.settings.scheme == "unstructured":
        assert mask.sum() == allowed
    elif allowed:
        assert lines(mask, 1).sum() == max(1, allowed // k)


def test_unstructured_keeps_the_largest_weights():
    layer = layer_of((7, 5, 3, 3), "unstructured", 6)
    order = layer.matrix().abs().flatten().argsort(descending=True)
    assert set(mask_of(layer).flatten().nonzero().flatten().tolist()) == set(order[:52].tolist())


def test_filter_keeps_the_largest_rows():
    layer = layer_of((10, 5, 3, 3), "filter", 4)
    best = layer.matrix().norm(dim=1).argsort(descending=True)[:2]
    assert set(lines(mask_of(layer), 1).nonzero().flatten().tolist()) == set(best.tolist())


@pytest.mark.parametrize("groups", [1, 2])
def test_channel_keeps_whole_input_channels(groups):
    """Balanced: as many of every group of the convolution, which reads channels of its own."""
    layer = layer_of((6, 9, 2, 2), "channel", 3, groups=groups)
    mask = mask_of(layer).view(groups, 6 // groups, 9, 4)
    weight = layer.module.weight.detach().view(groups, 6 // groups, 9, 4)
    for part, values in zip(mask, weight):
        kept = lines(part.transpose(0, 1).flatten(1), 1)
        best = values.square().sum(dim=(0, 2)).argsort(descending=True)[:3]
        assert set(kept.nonzero().flatten().tolist()) == set(best.tolist())


def test_channels_ranked_over_the_layer_compare_the_groups():
    weight = torch.ones(4, 6, 1, 1)
    weight[2:, :4] = 3
    layer = layer_of((4, 6, 1, 1), "channel", 3, groups=2, weight=weight, ranking="layer")
    assert mask_of(layer).int().tolist() == [[0] * 6, [0] * 6, *[[1, 1, 1, 1, 0, 0]] * 2]


@settings(max_examples=80, deadline=None)
@given(problems(["2:4", "1:4", "3:7"]))
def test_n_of_m_counts(layer):
    """Along the input channels at one position; a short last group keeps its share rounded up."""
    n, m = map(int, layer.settings.scheme.split(":"))
    shape = layer.module.weight.shape
    settings_ = LayerConfig(m / n, "matrix", layer.settings.scheme)
    layer = Layer("layer", layer.module, settings_)
    mask = mask_of(layer).view(shape[0], shape[1], -1)
    weight = layer.module.weight.detach().view(mask.shape).abs()
    for first in range(0, shape[1], m):
        group, values = mask[:, first : first + m], weight[:, first : first + m]
        count = math.ceil(group.shape[1] * n / m)
        assert (group.sum(dim=1) == count).all()
        dropped = values.masked_fill(group, -1).amax(dim=1)
        assert (values.masked_fill(~group, 9).amin(dim=1) >= dropped).all()


def test_n_of_m_at_the_rates_of_a_schedule():
    layer = layer_of((2, 16), "2:8", 4)
    for rate, count in [(1, 8), (1.1, 7), (1.5, 5), (2, 4), (3.9, 2), (4, 2), (8, 2)]:
        assert mask_of(layer, rates={"layer": rate}).sum() == 4 * count


@settings(max_examples=150, deadline=None)
@given(problems(["block-punched"]))
def test_block_punched_blocks_share_their_positions(layer):
    shape = layer.module.weight.shape
    mask = mask_of(layer).view(shape[0], shape[1], -1)
    filters, channels = layer.settings.kernel_block
    counts = {}
    for row in range(0, shape[0], filters):
        for column in range(0, shape[1], channels):
            part = mask[row : row + filters, column : column + channels]
            kept = lines(part.flatten(0, 1), 0)
            counts.setdefault(part.shape, []).append(int(kept.sum()))
    if layer.settings.ranking == "block":
        assert all(max(c) - min(c) <= 1 for c in counts.values())


def test_block_punched_keeps_the_largest_positions():
    layer = layer_of((10, 6, 3, 3), "block-punched", 3, kernel_block=(4, 4))
    mask, weight = mask_of(layer).view(10, 6, 9), layer.module.weight.detach().view(10, 6, 9)
    for row in (0, 4):  # whole blocks keep just 3 of 9 positions
        energy = weight[row : row + 4, :4].square().sum(dim=(0, 1))
        kept = mask[row, 0].nonzero().flatten().tolist()
        assert set(kept) == set(energy.argsort(descending=True)[:3].tolist())


@settings(max_examples=200, deadline=None)
@given(problems(["bsp"]))
def test_bsp_counts(layer):
    """floor(K / c) columns in every row of blocks, floor(M / q) rows of the matrix."""
    mask, asked = mask_of(layer), layer.settings
    m, k = mask.shape
    if budget(m * k, asked.rate) == 0:
        assert not mask.any()
        return
    column_rate = min(asked.rate, asked.column_rate or 16)
    rows, columns = budget(m, asked.rate / column_rate), budget(k, column_rate)
    stay = mask.any(dim=1)
    assert stay.sum() == max(1, rows)
    assert (mask[stay].sum(dim=1) == max(1, columns)).all()
    height, width = (m, k) if asked.block == "matrix" else asked.block
    for row in range(0, m, height):
        strip = mask[row : row + height][stay[row : row + height]]
        if len(strip) == 0:
            continue
        assert (strip == strip[0]).all()
        for first in range(0, k, width):
            part = strip[0, first : first + width]
            least = budget(len(part), column_rate)
            assert least <= part.sum() <= least + 1


def test_bsp_by_hand():
    weight = torch.tensor(
        [
            [8.9, 1, 0, 0, 1, 1, 6],
            [1.0, 1, 9, 0, 1, 1, 1],
            [1.0, 2, 0, 0, 9, 1, 1],
            [1.0, 3, 0, 0, 8, 1, 1],
        ]
    )  # blocks of 2 x 3 and 2 x 1: floor(7 / 3) = 2 columns of every two rows
    layer = layer_of((4, 7), "bsp", 6, block=(2, 3), weight=weight, column_rate=3)
    # One column of each whole block, none of the ragged one; then rows of energy 1, 82, 85, 73;
    # the 8.9 of the first row, whose whole energy is the largest, is dropped by then.
    assert mask_of(layer).int().tolist() == [
        [0] * 7,
        [0, 0, 1, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0, 0],
        [0] * 7,
    ]
    # At 2 x 2 there are three columns: the third is the best next one of a row of blocks, column 0
    # with 80.21 or 2; rows of 80.21, 83, 86 and 74.
    layer = layer_of((4, 7), "bsp", 4, block=(2, 3), weight=weight, column_rate=2)
    assert mask_of(layer).int().tolist() == [
        [0] * 7,
        [1, 0, 1, 0, 1, 0, 0],
        [1, 1, 0, 0, 1, 0, 0],
        [0] * 7,
    ]
    by_row_rate = layer_of((4, 7), "bsp", 4, block=(2, 3), weight=weight, row_rate=2)
    assert torch.equal(mask_of(by_row_rate), mask_of(layer))


@settings(max_examples=150, deadline=None)
@given(problems(["pattern"]))
def test_pattern_counts(layer):
    matrix, rate = layer.matrix(), layer.settings.rate
    kernels = mask_of(layer).view(-1, 9)
    counts, allowed = kernels.sum(dim=1), budget(matrix.numel(), rate)
    assert set(counts.tolist()) <= {0, 4, 9}
    stay = int((counts > 0).sum())
    if allowed >= 4 * len(kernels):
        assert stay == len(kernels)
        assert (counts == 9).sum() == (allowed - 4 * len(kernels)) // 5
    else:
        assert stay == max(allowed // 4, min(allowed, 1))
        assert (counts != 9).all()
    patterns = kernels[counts == 4]
    assert patterns[:, 4].all()
    assert len(patterns.unique(dim=0)) <= layer.settings.patterns


def test_pattern_library_is_what_most_kernels_have():
    """Three shapes, one of them rare: with two patterns its kernels take the nearer one."""
    shapes = {"cross": [1, 3, 4, 5], "corner": [0, 1, 3, 4], "rare": [0, 1, 4, 5]}
    order = ["cross"] * 5 + ["corner"] * 4 + ["rare"]
    weight = torch.full((10, 9), 0.01)
    for row, name in enumerate(order):
        weight[row, shapes[name]] = torch.tensor([1.0, 2, 3, 4]) + row / 16
    layer = layer_of((5, 2, 3, 3), "pattern", 2.25, weight=weight, patterns=2)
    kernels = mask_of(layer).view(10, 9)
    for row, name in enumerate(order):
        expected = shapes["cross" if name == "rare" else name]
        assert kernels[row].nonzero().flatten().tolist() == expected
    # Connectivity: the kernels of largest energy within their natural pattern.
    kept = mask_of(layer, rates={"layer": 4.5}).view(10, 9).any(dim=1)
    assert kept.tolist() == [False] * 5 + [True] * 5


def test_pattern_library_is_of_the_kernels_that_stay():
    """Six small kernels of one shape are dropped and have no say in the only pattern."""
    shapes = [[0, 1, 3, 4]] * 6 + [[4, 5, 7, 8]] * 2 + [[1, 4, 5, 7]]
    weight = torch.zeros(9, 9)
    for row, shape in enumerate(shapes):
        weight[row, shape] = torch.tensor([1.0, 1.25, 1.5, 1.75]) * (1 if row < 6 else 4)
    layer = layer_of((9, 1, 3, 3), "pattern", 81 / 12, weight=weight, patterns=1)
    kernels = mask_of(layer).view(9, 9)
    assert [k.nonzero().flatten().tolist() for k in kernels] == [[]] * 6 + [[4, 5, 7, 8]] * 3


def test_ties_go_to_the_lower_index():
    ones = torch.ones(8, 8, 3, 3)
    by_scheme = {
        scheme: mask_of(layer_of((8, 8, 3, 3), scheme, 4, weight=ones)).view(8, 8, 9)
        for scheme in ["filter", "channel", "unstructured", "pattern", "bsp"]
    }
    assert lines(by_scheme["filter"].flatten(1), 1).tolist() == [True] * 2 + [False] * 6
    kept = lines(by_scheme["channel"].transpose(0, 1).flatten(1), 1)
    assert kept.tolist() == [True] * 2 + [False] * 6
    assert by_scheme["unstructured"].flatten()[:144].all()
    assert by_scheme["pattern"][:, :, [0, 1, 2, 4]].flatten(0, 1)[:36].all()
    assert by_scheme["pattern"].sum() == 144
    assert by_scheme["bsp"].flatten(1)[0, :8].tolist() == [True, True] + [False] * 6
    half = mask_of(layer_of((4, 8), "2:4", 2, weight=torch.ones(4, 8)))
    assert half[0].tolist() == [True, True, False, False] * 2


@pytest.mark.parametrize("scheme", SCHEMES)
def test_dtypes_and_extremes(scheme):
    shape = (8, 4, 3, 3)
    expected = mask_of(layer_of(shape, scheme, 4, block=(4, 9)))
    weight = layer_of(shape, scheme).matrix()
    layer = layer_of(shape, scheme, 4, block=(4, 9))
    for scale in (2.0**600, 2.0**-700):
        given_ = {"layer": weight.double() * scale}
        assert torch.equal(mask_of(layer, matrices=given_), expected)
    half = weight.bfloat16()
    masks = [mask_of(layer, matrices={"layer": matrix}) for matrix in (half, half.float())]
    assert torch.equal(*masks)


@settings(max_examples=100, deadline=None)
@given(problems(["columns", "rows", "block-punched"]), st.sampled_from(["layer", "network"]))
def test_layer_ranking_drops_nothing_that_would_fit(layer, ranking):
    layer = Layer("layer", layer.module, dataclasses.replace(layer.settings, ranking=ranking))
    mask = mask_of(layer)
    left = budget(mask.numel(), layer.settings.rate) - int(mask.sum())
    dropped = torch.cat([n.flatten() for n in group_norms(layer, (~mask).float())])
    assert mask.all() or left < dropped[dropped > 0].min()


def test_layer_ranking_is_by_mean_square():
    """A ragged lower block has shorter columns; they compete by the mean, not by the sum."""
    weight = torch.ones(5, 4)
    weight[4] = torch.tensor([1.5, 0.5, 3, 0.25])
    weight[:4, 3] = 2
    layer = layer_of((5, 4), "columns", 2.5, block=(4, 4), weight=weight, ranking="layer")
    # 8 weights: the ragged 3, four of 2, the ragged 1.5; two are left, 0.5 and 0.25 fit.
    assert mask_of(layer).int().tolist() == [[0, 0, 0, 1]] * 4 + [[1, 1, 1, 1]]


def network(scheme, rate=4, **options):
    shapes = {"a": (8, 6, 3, 3), "b": (12, 20), "c": (6, 8, 1, 1)}
    return [
        layer_of(s, scheme, rate, name=n, ranking="network", block=(4, 5), **options)
        for n, s in shapes.items()
    ]


@pytest.mark.parametrize("scheme", RANKED)
@pytest.mark.parametrize("rate", [1, 2, 7.5, 30])
def test_network_ranking_shares_one_budget(scheme, rate):
    layers = network(scheme, rate)
    masks = choose_masks(layers)
    assert list(masks) == ["a", "b", "c"]
    allowed = sum(budget(m.numel(), rate) for m in masks.values())
    total = sum(int(m.sum()) for m in masks.values())
    largest = max(
        float(n.max()) for x in layers for n in group_norms(x, torch.ones(masks[x.name].shape))
    )
    if scheme != "both":  # a split that loses least may use less of the budget than another
        assert allowed - largest < total <= max(allowed, 3 * largest)
    if allowed > 3 * largest:  # room for the best group of every layer
        assert all(m.any() for m in masks.values())
    once = {x.name: x.matrix() * masks[x.name] for x in layers}
    again = choose_masks(layers, once)
    assert all(torch.equal(once[n] * again[n], once[n]) for n in once)


def test_network_ranking_is_magnitude_pruning_for_single_weights():
    layers = network("unstructured", 5)
    masks = choose_masks(layers)
    everything = torch.cat([x.matrix().abs().flatten() for x in layers])
    allowed = sum(budget(x.matrix().numel(), 5) for x in layers)
    bound = everything.sort(descending=True).values[allowed - 1]
    for layer in layers:
        assert torch.equal(masks[layer.name], layer.matrix().abs() >= bound)


def test_network_ranking_cuts_no_layer_off():
    shapes = {"a": (8, 6, 3, 3), "b": (12, 20), "c": (8, 8, 1, 1)}
    layers = [
        layer_of(s, "columns", 8, name=n, ranking="network", block=(4, 5))
        for n, s in shapes.items()
    ]
    small = {x.name: x.matrix() * (1e-4 if x.name == "c" else 1) for x in layers}
    masks = choose_masks(layers, small)
    assert masks["c"].sum() == 4  # its best column, and not one more
    assert lines(masks["c"][:4], 0).sum() + lines(masks["c"][4:], 0).sum() == 1
    assert sum(int(m.sum()) for m in masks.values()) == (432 + 240 + 64) / 8
    # A float64 layer is compared with the others, not scaled for itself.
    double = {n: m.double() * 2.0**600 for n, m in small.items()}
    assert all(torch.equal(m, masks[n]) for n, m in choose_masks(layers, double).items())


@pytest.mark.parametrize("ranking", ["layer", "network"])
def test_ranked_rows_and_columns_take_the_split_that_loses_least(ranking):
    """All energy lies in two rows of each block: at 8x only S = 2 keeps all four columns."""
    layers = []
    for name in ("a", "b"):
        weight = torch.zeros(8, 16)
        weight[torch.tensor([1, 6])[:, None], torch.tensor([0, 3, 5, 7, 8, 9, 12, 15])] = 1.0
        options = {"block": (8, 8), "ranking": ranking, "name": name, "weight": weight}
        layers.append(layer_of((8, 16), "both", 8, **options))
    masks = choose_masks(layers)
    for layer in layers:
        assert torch.equal(masks[layer.name], layer.matrix() != 0)


def test_network_ranking_leaves_other_layers_alone():
    layers = network("columns", 8)
    alone = layer_of((8, 9), "columns", 2, name="d")
    masks = choose_masks([*layers[:2], alone, layers[2]])
    assert list(masks) == ["a", "b", "d", "c"]
    assert masks["d"].sum() == 36
    assert all(torch.equal(masks[n], m) for n, m in choose_masks(layers).items())


@settings(max_examples=100, deadline=None)
@given(problems())
def test_groups_hold_every_weight(layer):
    """Squared norms of a matrix of ones are sizes; each kind of group is a partition of W."""
    matrix = layer.matrix()
    sizes = group_norms(layer, torch.ones_like(matrix))
    total = sum(float(s.sum()) for s in sizes)
    kinds = {"both": 2, "bsp": 2, "pattern": 1 + 5 / 9}.get(layer.settings.scheme, 1)
    assert total == pytest.approx(kinds * matrix.numel())
    norms = group_norms(layer, matrix)
    assert [n.shape for n in norms] == [s.shape for s in sizes]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_group_norms_are_differentiable(scheme):
    layer = layer_of((6, 5, 3, 3), scheme)
    matrix = layer.matrix().double().requires_grad_()
    sum((n + 1e-3).sqrt().sum() for n in group_norms(layer, matrix)).backward()
    assert matrix.grad.isfinite().all()
    assert (matrix.grad * matrix.detach() > 0).all()


def test_groups_of_a_block_are_its_columns_and_rows():
    layer = layer_of((5, 7), "both", block=(2, 4))
    norms = group_norms(layer, layer.matrix())
    weight, got = layer.matrix().numpy(), []
    for row in range(0, 5, 2):
        for column in range(0, 7, 4):
            part = weight[row : row + 2, column : column + 4]
            got += [*np.square(part).sum(axis=0), *np.square(part).sum(axis=1)]
    assert sorted(got) == pytest.approx(sorted(torch.cat([n.flatten() for n in norms]).tolist()))


@settings(max_examples=100, deadline=None)
@given(problems(), st.sampled_from([0.0, 0.3, 1.0, 100.0]))
def test_threshold_keeps_groups_above_it(layer, threshold):
    mask = threshold_masks([layer], threshold)["layer"]
    higher = threshold_masks([layer], {"layer": threshold + 0.2})["layer"]
    if layer.settings.scheme != "pattern":  # another library may be natural to fewer kernels
        assert not (higher & ~mask).any()
    if threshold == 100:
        assert not mask.any()
    sparse = layer.settings.scheme == "pattern" or ":" in layer.settings.scheme
    if threshold == 0 and not sparse:
        assert mask[layer.matrix() != 0].all()


def test_threshold_by_hand():
    weight = torch.tensor([[3.0, 0, 0, 0], [4, 0, 1, 0]])
    layer = layer_of((2, 4), "both", block=(2, 2), weight=weight)
    # Root mean squares. Columns: 3.54, 0 | 0.71, 0. Rows: 2.12, 2.83 | 0, 0.71.
    masks = [threshold_masks([layer], t)["layer"].int().tolist() for t in (0.7, 0.71, 2.82)]
    assert masks == [threshold_masks([layer], t)["layer"].int().tolist() for t in (0.1, 2.1, 2.2)]
    assert masks == [
        [[1, 0, 0, 0], [1, 0, 1, 0]],
        [[1, 0, 0, 0], [1, 0, 0, 0]],
        [[0] * 4, [1, 0, 0, 0]],
    ]
    assert threshold_masks([layer], 2.5, {"layer": 2 * weight})["layer"].sum() == 2


def convs():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Flatten(), nn.Linear(8, 6))


def test_a_scheme_that_does_not_apply():
    with pytest.raises(ConfigError) as caught:
        Pruner(convs(), PruneConfig(4, scheme="pattern"))
    text = str(caught.value)
    assert "module '1': a pattern is of 3x3 kernels and the kernel here is 1x1" in text
    assert "module '3': a pattern is of 3x3 kernels and the kernel here is none" in text
    assert "module '0'" not in text
    assert "fallback=" in text
    rows = Pruner(convs(), PruneConfig(4, scheme="pattern", fallback="dense")).finalize().rows
    assert [row.pruned for row in rows] == [True, False, False]
    assert "kernel here is 1x1 (fallback='dense')" in rows[1].note
    config = PruneConfig(
        4, (4, 2), scheme="pattern", fallback="columns", modules={"3": {"fallback": "1:4"}}
    )
    rows = Pruner(convs(), config).finalize().rows
    assert [(row.scheme, row.kept) for row in rows] == [
        ("pattern", 13 * 4),
        ("columns", 16),
        ("1:4", 12),
    ]
    assert rows[1].note.startswith("columns because a pattern is of 3x3 kernels")
    with pytest.raises(ConfigError, match="module '1': a pattern"):
        Pruner(convs(), PruneConfig(4, scheme="pattern", fallback="pattern"))


def test_reports_name_the_scheme():
    report = Pruner(
        convs(), PruneConfig(2, scheme="2:4", modules={"0": {"scheme": "filter", "rate": 4}})
    ).finalize()
    assert [(r.scheme, r.block, r.kept) for r in report.rows] == [
        ("filter", None, 54),
        ("2:4", None, 32),
        ("2:4", None, 24),
    ]
    assert "filter" in str(report)
    assert type(report).from_dict(report.to_dict()) == report
