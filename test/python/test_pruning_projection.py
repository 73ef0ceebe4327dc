"""The projection onto the BCR shape: exact counts, largest norms, ties, ragged edges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bcr import ConfigError, reference
from bcr.pruning import bcr_mask, block_counts, project

BLOCKS = [(1, 1), (4, 16), (8, 64), (16, 9), "matrix"]
SCHEMES = ["both", "columns", "rows"]


def random_matrix(m, k, seed=0, levels=None):
    """Distinct normal weights, or whole numbers out of a few levels, which makes many ties."""
    generator = torch.Generator().manual_seed(seed)
    if levels is None:
        return torch.randn(m, k, generator=generator)
    return torch.randint(-levels, levels + 1, (m, k), generator=generator).float()


def blocks_of(mask, block):
    """Yield the blocks of a matrix by plain slicing, the grid's definition."""
    m, k = mask.shape
    height, width = (m, k) if block == "matrix" else block
    for r in range(0, m, height):
        for c in range(0, k, width):
            yield mask[r : r + height, c : c + width]


@st.composite
def problems(draw):
    m, k = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    block = draw(st.just("matrix") | st.tuples(st.integers(1, 12), st.integers(1, 20)))
    rate = draw(st.sampled_from([1, 1.5, 2, 1 / 0.3, 8, 16, 1000]) | st.floats(1, 50))
    levels = draw(st.sampled_from([None, 0, 1, 3]))
    weight = random_matrix(m, k, draw(st.integers(0, 99)), levels)
    return weight, block, rate, draw(st.sampled_from(SCHEMES))


@settings(max_examples=200, deadline=None)
@given(problems())
def test_properties(problem):
    weight, block, rate, scheme = problem
    mask = bcr_mask(weight, rate=rate, block=block, scheme=scheme)
    assert mask.dtype == torch.bool
    assert mask.shape == weight.shape

    # Every block is a full S x T pattern, of whole rows or columns if so asked.
    total = 0
    for part in blocks_of(mask, block):
        rows, columns = part.any(dim=1), part.any(dim=0)
        assert torch.equal(part, rows[:, None] & columns[None, :])
        if scheme == "columns" and part.any():
            assert rows.all()
        if scheme == "rows" and part.any():
            assert columns.all()
        total += int(rows.sum()) * int(columns.sum())
    counted_rows, counted_columns = block_counts(mask, block)
    assert int((counted_rows * counted_columns).sum()) == total

    # The rate is reached, except where not a single row or column fits into it.
    budget = math.floor(weight.numel() / rate * (1 + 1e-12))
    assert (total >= 1) == (budget >= 1)
    if total > budget:
        kept_blocks = [p for p in blocks_of(mask, block) if p.any()]
        assert len(kept_blocks) == 1
        assert min(kept_blocks[0].any(dim=1).sum(), kept_blocks[0].any(dim=0).sum()) == 1

    # Projecting twice is projecting once, and the input is not touched.
    before = weight.clone()
    once = project(weight, rate=rate, block=block, scheme=scheme)
    assert torch.equal(weight, before)
    assert torch.equal(once, weight * mask)
    assert torch.equal(project(once, rate=rate, block=block, scheme=scheme), once)


@pytest.mark.parametrize("scheme", ["columns", "rows"])
@pytest.mark.parametrize("block", [(4, 8), (5, 7), (3, 16), "matrix"])
def test_against_the_definition(block, scheme):
    """One block at a time in NumPy: the largest norms stay, the rest of the budget by rank."""
    weight = random_matrix(20, 56, seed=3)
    rate = 3.2
    mask = bcr_mask(weight, rate=rate, block=block, scheme=scheme).numpy()
    axis = 0 if scheme == "columns" else 1
    for part, kept in zip(blocks_of(weight.numpy(), block), blocks_of(mask, block)):
        norms = np.square(part.astype(np.float64)).sum(axis=axis)
        lines = kept.any(axis=axis)
        count, least = lines.sum(), math.floor(part.size / rate / part.shape[axis])
        assert least <= count <= least + 1
        assert set(np.flatnonzero(lines)) == set(np.argsort(-norms)[:count])


@pytest.mark.parametrize(
    ("block", "scheme", "kept_per_block"),
    [((8, 64), "columns", (8, 8)), ((8, 64), "rows", (1, 64)), ((4, 16), "columns", (4, 2))],
)
def test_counts_are_exact_where_they_divide(block, scheme, kept_per_block):
    mask = bcr_mask(random_matrix(64, 256), rate=8, block=block, scheme=scheme)
    rows, columns = block_counts(mask, block)
    assert rows.unique().tolist() == [kept_per_block[0]]
    assert columns.unique().tolist() == [kept_per_block[1]]
    assert mask.sum() == 64 * 256 / 8


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("rate", [1, 2, 8, 10, 12.5])
def test_rate_reached_at_the_asked_shapes(block, rate, scheme):
    weight = random_matrix(50, 27 * 9, seed=5)
    kept = int(bcr_mask(weight, rate=rate, block=block, scheme=scheme).sum())
    height, width = weight.shape if block == "matrix" else block
    cost = {"columns": height, "rows": width, "both": max(height, width)}[scheme]
    budget = math.floor(weight.numel() / rate)
    assert budget - 4 * cost < kept <= budget


def test_1x1_blocks_are_unstructured_magnitude_pruning():
    weight = random_matrix(12, 25, seed=1)
    mask = bcr_mask(weight, rate=8, block=(1, 1))
    expected = torch.zeros(300, dtype=torch.bool)
    expected[weight.abs().flatten().argsort(descending=True)[:37]] = True
    assert torch.equal(mask.flatten(), expected)


def test_a_rate_rounded_in_its_last_digit_keeps_what_was_meant():
    assert 100 / (1 / 0.11) < 11  # in floating point
    assert bcr_mask(random_matrix(10, 10), rate=1 / 0.11, block=(1, 1)).sum() == 11


def test_remainder_goes_to_the_blocks_with_the_largest_next_column():
    # Two 2x5 blocks at 10/3: 3.0 weights each = 1 column and half of one; one block gets another.
    weight = torch.tensor(
        [[9.0, 1, 2, 3, 4, 9, 1, 2, 3, 5], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    )  # the second-best columns are 4 (block 0) and 5 (block 1)
    mask = bcr_mask(weight, rate=10 / 3, block=(2, 5), scheme="columns")
    assert mask.any(dim=0).nonzero().flatten().tolist() == [0, 5, 9]
    weight[0, 4] = 6
    mask = bcr_mask(weight, rate=10 / 3, block=(2, 5), scheme="columns")
    assert mask.any(dim=0).nonzero().flatten().tolist() == [0, 4, 5]


def test_ragged_blocks_get_their_share():
    # 10 x 22 in 4 x 8: blocks of 4x8, 4x6, 2x8 and 2x6 at rate 4 keep 2, 1+, 2, 1+ columns.
    mask = bcr_mask(random_matrix(10, 22, seed=2), rate=4, block=(4, 8), scheme="columns")
    rows, columns = block_counts(mask, (4, 8))
    assert len(rows) == 9
    assert columns[:4].tolist() == [2] * 4  # interior
    assert sorted(columns[4:6].tolist()) == [1, 2]  # right edge: 1.5 columns each
    assert columns[6:8].tolist() == [2, 2]  # lower edge
    assert columns[8] == 1  # corner: 1.5
    assert mask.sum() == 4 * 8 + 3 * 4 + 2 * 4 + 2


def test_what_one_region_leaves_the_next_one_gets():
    # 9 x 9 in 4 x 4 at rate 3 may keep 27. Interior: 21.3 weights = 5 columns of 4, right edge:
    # 1 column of 4 with what is left over, lower edge: 2 columns of 1, corner: the last weight.
    mask = bcr_mask(random_matrix(9, 9, seed=8), rate=3, block=(4, 4), scheme="columns")
    parts = mask[:8, :8], mask[:8, 8:], mask[8:, :8], mask[8:, 8:]
    assert [int(part.sum()) for part in parts] == [20, 4, 2, 1]


def test_ties_go_to_the_lower_index():
    equal = torch.full((4, 8), 3.0)
    mask = bcr_mask(equal, rate=4, block=(4, 8), scheme="columns")
    assert mask.any(dim=0).nonzero().flatten().tolist() == [0, 1]
    mask = bcr_mask(equal, rate=4, block=(4, 8), scheme="rows")
    assert mask.any(dim=1).nonzero().flatten().tolist() == [0]
    equal[0, 2] = -equal[0, 2]  # the norm is what counts
    mask = bcr_mask(equal, rate=4, block=(4, 8), scheme="columns")
    assert mask.any(dim=0).nonzero().flatten().tolist() == [0, 1]
    equal[:, 6] = torch.tensor([3.0, 3, 3, 3.5])
    mask = bcr_mask(equal, rate=4, block=(4, 8), scheme="columns")
    assert mask.any(dim=0).nonzero().flatten().tolist() == [0, 6]
    # A remainder among equal blocks: the first ones get it.
    mask = bcr_mask(torch.ones(2, 20), rate=10 / 3, block=(2, 5), scheme="columns")
    assert mask.any(dim=0).nonzero().flatten().tolist() == [0, 1, 5, 6, 10, 15]


def test_all_zero_weights_still_get_an_exact_pattern():
    mask = bcr_mask(torch.zeros(16, 32), rate=8, block=(4, 16))
    assert mask.sum() == 64
    assert torch.equal(bcr_mask(torch.zeros(3, 5), rate=1, block=(2, 2)), torch.ones(3, 5) > 0)


def test_both_takes_the_split_that_loses_least():
    # All energy in two rows and four columns of the block: only S = 2, T = 4 keeps it whole.
    weight = torch.zeros(8, 8)
    weight[torch.tensor([1, 6])[:, None], torch.tensor([0, 3, 5, 7])] = torch.arange(1.0, 9).view(
        2, 4
    )
    assert torch.equal(project(weight, rate=8, block=(8, 8)), weight)
    for scheme in ("columns", "rows"):
        assert not torch.equal(project(weight, rate=8, block=(8, 8), scheme=scheme), weight)
    # On equal weights every split loses the same: the one with most rows is taken.
    rows, columns = block_counts(bcr_mask(torch.ones(8, 8), rate=8, block=(8, 8)), (8, 8))
    assert (rows.item(), columns.item()) == (8, 1)


def test_both_keeps_the_largest_rows_then_the_largest_columns_over_them():
    block, rate = (6, 10), 3
    weight = random_matrix(24, 50, seed=12)
    mask = bcr_mask(weight, rate=rate, block=block)
    rows, columns = block_counts(mask, block)
    (s,) = rows.unique().tolist()
    assert 1 < s < 6
    assert columns.min() == 20 // s
    for part, kept in zip(blocks_of(weight.double(), block), blocks_of(mask, block)):
        best_rows = part.norm(dim=1).argsort(descending=True)[:s].sort().values
        assert kept.any(dim=1).nonzero().flatten().tolist() == best_rows.tolist()
        norms = part[best_rows].norm(dim=0)
        best_columns = norms.argsort(descending=True)[: kept.any(dim=0).sum()].sort().values
        assert kept.any(dim=0).nonzero().flatten().tolist() == best_columns.tolist()


def test_lower_ragged_blocks_keep_the_same_share_of_rows_rounded_up():
    weight = torch.zeros(7, 16)
    weight[torch.tensor([1, 2, 4, 6])] = torch.arange(1.0, 65).view(4, 16)
    rows, _ = block_counts(bcr_mask(weight, rate=2, block=(4, 8)), (4, 8))
    assert rows.tolist() == [2, 2, 2, 2]


def test_both_never_loses_more_than_columns():
    for seed in range(5):
        weight = random_matrix(30, 100, seed)
        lost = {
            scheme: float((weight - project(weight, rate=8, block=(8, 16), scheme=scheme)).norm())
            for scheme in ("both", "columns")
        }
        assert lost["both"] <= lost["columns"] + 1e-6


def test_a_layer_is_never_pruned_to_nothing_unless_asked():
    weight = random_matrix(8, 4, seed=4)
    assert bcr_mask(weight, rate=8, block=(8, 4)).sum() == 4
    assert bcr_mask(torch.ones(8, 4), rate=8, block=(8, 4)).sum() == 4
    # Whole columns of eight are all there is to keep, and four weights are asked for.
    mask = bcr_mask(weight, rate=8, block=(8, 4), scheme="columns")
    assert mask.sum() == 8
    assert mask[:, weight.norm(dim=0).argmax()].all()
    assert bcr_mask(weight, rate=33, block=(8, 4)).sum() == 0


def test_dtypes_extremes_and_memory_order():
    weight = random_matrix(16, 32, seed=6)
    expected = bcr_mask(weight, rate=4, block=(4, 8))
    assert torch.equal(bcr_mask(weight.double(), rate=4, block=(4, 8)), expected)
    assert torch.equal(bcr_mask(weight.double() * 2.0**600, rate=4, block=(4, 8)), expected)
    assert torch.equal(bcr_mask(weight.double() * 2.0**-700, rate=4, block=(4, 8)), expected)
    assert torch.equal(bcr_mask(weight.T.contiguous().T, rate=4, block=(4, 8)), expected)
    for dtype in (torch.float16, torch.bfloat16):
        half = weight.to(dtype)
        mask = bcr_mask(half, rate=4, block=(4, 8))
        assert torch.equal(mask, bcr_mask(half.float(), rate=4, block=(4, 8)))


@pytest.mark.parametrize("band", [1, 200, 500])
def test_large_matrices_are_worked_on_in_bands(monkeypatch, band):
    weight = random_matrix(39, 50, seed=9, levels=2)  # many ties, ragged
    expected = [bcr_mask(weight, rate=5, block=(4, 8), scheme=scheme) for scheme in SCHEMES]
    monkeypatch.setattr("bcr.pruning.schemes.columns._BAND", band)
    masks = [bcr_mask(weight, rate=5, block=(4, 8), scheme=scheme) for scheme in SCHEMES]
    assert all(map(torch.equal, masks, expected))


def test_rows_is_the_transpose_of_columns():
    weight = random_matrix(13, 21, seed=7)
    rows = bcr_mask(weight, rate=3, block=(4, 6), scheme="rows")
    columns = bcr_mask(weight.T, rate=3, block=(6, 4), scheme="columns")
    assert torch.equal(rows, columns.T)


@settings(max_examples=50, deadline=None)
@given(problems())
def test_the_reference_packs_just_what_is_kept(problem):
    weight, block, rate, scheme = problem
    kept = weight.where(weight != 0, torch.ones(()))  # no weight that is zero by chance
    mask = bcr_mask(kept, rate=rate, block=block, scheme=scheme)
    packed = reference.pack(kept.where(mask, torch.zeros(())).numpy(), block)
    assert sum(len(b.rows) * len(b.columns) for b in packed) == int(mask.sum())
    assert sum(b.values.size for b in packed) == int(mask.sum())


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (torch.ones(4), r"weight is torch.float32 \[4\]: pass a floating-point matrix"),
        (torch.ones(4, 0), "not empty"),
        (torch.ones(4, 4, dtype=torch.int32), "torch.int32"),
        (torch.tensor([[1.0, math.nan]]), "NaN or Inf"),
        (torch.tensor([[1.0, -math.inf]]), "NaN or Inf"),
    ],
)
def test_bad_weights(weight, words):
    with pytest.raises(ConfigError, match=words):
        bcr_mask(weight, rate=2, block=(1, 1))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rate": 0.5, "block": (1, 1)}, "rate is 0.5"),
        ({"rate": 2, "block": (0, 1)}, r"block is \(0, 1\)"),
        ({"rate": 2, "block": (1, 1), "scheme": "diagonal"}, "scheme is 'diagonal'"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ConfigError, match=words):
        bcr_mask(torch.ones(2, 2), **arguments)
