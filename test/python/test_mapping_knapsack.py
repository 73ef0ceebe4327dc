"""The knapsack against brute force."""

import itertools

import numpy as np
import pytest

from bcr.mapping.knapsack import pareto_front


def brute_force(costs, losses):
    """All combinations that no other one beats, by cost: every one is compared with every other."""
    points = []
    for pick in itertools.product(*(range(len(c)) for c in costs)):
        cost = sum(c[i] for c, i in zip(costs, pick))
        points.append((cost, sum(v[i] for v, i in zip(losses, pick))))
    front = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    return sorted(front)


def some_layers(seed, count, integers):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, count)
    draw = (lambda n: rng.integers(0, 6, n).astype(float)) if integers else rng.random
    return [draw(n) for n in sizes], [draw(n) for n in sizes]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("integers", [True, False], ids=["with ties", "without ties"])
def test_the_front_is_that_of_all_combinations(seed, integers):
    costs, losses = some_layers(seed, 4, integers)
    front = pareto_front(costs, losses)
    expected = brute_force(costs, losses)
    found = np.stack([front.costs, front.losses], axis=1)
    assert found == pytest.approx(np.array(expected))
    for cost, loss, pick in zip(front.costs, front.losses, front.picks):
        assert cost == pytest.approx(sum(c[i] for c, i in zip(costs, pick)))
        assert loss == pytest.approx(sum(v[i] for v, i in zip(losses, pick)))


def test_a_bound_takes_the_best_that_it_admits():
    costs, losses = [[4.0, 2.0, 1.0], [8.0, 3.0]], [[0.0, 1.0, 5.0], [0.0, 2.0]]
    front = pareto_front(costs, losses)
    picks = {
        bound: front.within(bound) if front.within(bound) is None
        else tuple(front.picks[front.within(bound)])
        for bound in (3.9, 4, 5, 7, 11.9, 12, 99)
    }  # fmt: skip
    assert picks == {
        3.9: None, 4: (2, 1), 5: (1, 1), 7: (0, 1), 11.9: (1, 0), 12: (0, 0), 99: (0, 0)
    }  # fmt: skip


def test_a_bound_that_was_added_up_in_another_order_is_met():
    costs = [[0.1], [0.2], [0.3]]
    assert pareto_front(costs, [[0.0], [0.0], [0.0]]).within(0.3 + (0.2 + 0.1)) == 0
    assert sum([0.3, 0.2, 0.1]) < sum([0.1, 0.2, 0.3])


def test_a_thinned_front_is_close_and_keeps_the_cheapest():
    rng = np.random.default_rng(3)
    costs = [scale / np.array([1, 2, 4, 8]) for scale in 1 + rng.random(9)]
    losses = [np.concatenate(([0], np.cumsum(rng.random(3)))) for _ in costs]
    exact, thin = pareto_front(costs, losses, limit=1 << 20), pareto_front(costs, losses, limit=64)
    assert thin.costs[0] == pytest.approx(sum(min(c) for c in costs))
    assert len(thin.costs) <= 65 < len(exact.costs)
    for bound in np.linspace(exact.costs[0], exact.costs[-1], 9):
        best = exact.losses[exact.within(bound)]
        found = thin.losses[thin.within(bound)]
        assert best <= found + 1e-9 <= 1.1 * best + 0.1
    for cost, pick in zip(thin.costs, thin.picks):
        assert cost == pytest.approx(sum(c[i] for c, i in zip(costs, pick)))
