"""Costs between attention maps, the assignment of heads, the null of shuffled heads."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import head_matching
from metrics.head_matching import (
    bug_totals,
    cross_fitted,
    head_costs,
    match_heads,
    shuffled_heads,
    total_of,
)


def maps(*shape: int, seed: int = 0, sharpness: float = 2.0) -> torch.Tensor:
    """Softmax maps [*shape, T]."""
    generator = torch.Generator().manual_seed(seed)
    return (sharpness * torch.randn(*shape, dtype=torch.float64, generator=generator)).softmax(-1)


def slow_costs(first, second, n, start=0):
    """The definition, entry by entry."""
    costs = np.zeros((len(second), len(first)))
    for a, b in itertools.product(range(len(second)), range(len(first))):
        for s, t in itertools.product(range(start, n - start), repeat=2):
            costs[a, b] += abs(float(second[a, s, t]) - float(first[b, s, t]))
    return costs / (n - 2 * start)


def permutation_cost(seed: int, h: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(h, h)) ** 2


def test_costs_are_the_definition_over_valid_tokens_with_and_without_the_special_ones(monkeypatch):
    first, second, lengths = maps(2, 3, 7, 7), maps(2, 2, 7, 7, seed=1), [7, 4]
    for held in (head_matching.CPU_ELEMENTS, 1, 80):  # whole, by single rows, by two rows
        monkeypatch.setattr(head_matching, "CPU_ELEMENTS", held)
        found, inner = head_costs(first, second, lengths), head_costs(first, second, lengths, special=False)
        for i, n in enumerate(lengths):
            np.testing.assert_allclose(found[i], slow_costs(first[i], second[i], n), rtol=1e-13)
            np.testing.assert_allclose(inner[i], slow_costs(first[i], second[i], n, start=1), rtol=1e-13)
    assert found.shape == (2, 2, 3)


def test_padding_counts_only_as_published():
    first, second = maps(1, 3, 8, 8), maps(1, 3, 8, 8, seed=1)
    other = first.clone()
    other[:, :, 5:], other[:, :, :, 5:] = 0.3, 7.0
    np.testing.assert_array_equal(head_costs(first, second, [5]), head_costs(other, second, [5]))
    cut = head_costs(first[:, :, :5, :5], second[:, :, :5, :5], [5])
    np.testing.assert_allclose(head_costs(first, second, [5]), cut, rtol=1e-14)
    published = head_costs(first, second, [5], legacy_padding=True)
    np.testing.assert_allclose(published[0], 8 * slow_costs(first[0], second[0], 8), rtol=1e-13)
    assert not np.allclose(published, head_costs(other, second, [5], legacy_padding=True))


def test_float32_maps_lose_no_more_than_their_rounding():
    first, second = maps(1, 2, 300, 300), maps(1, 2, 300, 300, seed=1)
    exact, single = head_costs(first, second, [300]), head_costs(first.float(), second.float(), [300])
    np.testing.assert_allclose(single, exact, rtol=3e-7)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(3, 6),
    st.sampled_from([0.1, 3.0, 50.0]),
)
def test_costs_are_a_distance_between_0_and_2(seed, a, b, n, sharpness):
    first, second = maps(1, b, n, n, seed=seed, sharpness=sharpness), maps(1, a, n, n, seed=seed + 1, sharpness=9.0)
    costs = head_costs(first, second, [n])
    assert (costs >= 0).all()
    assert (costs <= 2 + 1e-12).all()
    assert (head_costs(first, second, [n], special=False) * (n - 2) <= costs * n + 1e-12).all()
    np.testing.assert_allclose(head_costs(second, first, [n]), costs.transpose(0, 2, 1), rtol=1e-14)
    own = head_costs(first, first, [n])
    assert (np.diagonal(own, axis1=1, axis2=2) == 0).all()
    assert match_heads(own).total == 0


def test_opposite_maps_cost_2_and_without_special_tokens_nothing_where_all_look_at_those():
    at = torch.eye(5)[None, None]
    first, second = at.roll(1, -1).clone(), at.clone()
    assert head_costs(first, second, [5]).item() == 2
    first[...], second[...] = torch.eye(5)[0], torch.eye(5)[4]
    assert head_costs(first, second, [5], special=False).item() == 0
    assert np.isnan(head_costs(first, second, [2], special=False)).all()


def test_costs_of_maps_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 5, 5\), \(2, 3, 4, 4\)"):
        head_costs(maps(2, 3, 5, 5), maps(2, 3, 4, 4), [4, 4])
    with pytest.raises(ValueError, match=r"give \[B, heads, T, T\] twice"):
        head_costs(maps(2, 3, 5, 5), maps(1, 3, 5, 5), [5, 5])
    with pytest.raises(ValueError, match="lengths from 3 to 6; maps of 5 tokens have 1 to 5"):
        head_costs(maps(2, 3, 5, 5), maps(2, 3, 5, 5), [3, 6])
    with pytest.raises(ValueError, match="leave special on"):
        head_costs(maps(1, 3, 5, 5), maps(1, 3, 5, 5), [5], special=False, legacy_padding=True)


def test_values_that_are_not_finite_stay_in_their_sample():
    first, second = maps(2, 3, 5, 5), maps(2, 3, 5, 5, seed=1)
    first[0, 1, 0, 0] = torch.nan
    matching = match_heads(head_costs(first, second, [5, 5]))
    assert np.isnan(matching.total[0])
    assert (matching.first[0] == -1).all()
    assert (matching.second[0] == -1).all()
    assert np.isfinite(matching.total[1])
    assert sorted(matching.first[1]) == [0, 1, 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5))
def test_the_matching_is_the_best_of_all(seed, a, b):
    cost = np.random.default_rng(seed).random((a, b))
    found = match_heads(cost)
    m = min(a, b)
    totals = [
        sum(cost[i, j] for i, j in zip(rows, columns, strict=True))
        for rows in itertools.combinations(range(a), m)
        for columns in itertools.permutations(range(b), m)
    ]
    assert found.total == pytest.approx(min(totals), rel=1e-12)
    assert found.second.shape == found.first.shape == (m,)
    assert total_of(cost, found) == pytest.approx(float(found.total), rel=1e-14)


def test_a_planted_permutation_is_found_and_follows_the_heads():
    rng = np.random.default_rng(3)
    perm = rng.permutation(6)
    first = maps(5, 6, 9, 9, seed=5)
    second = 0.7 * first[:, perm] + 0.3 * maps(5, 6, 9, 9, seed=6)
    lengths = [9, 8, 5, 9, 7]
    cost = head_costs(first, second, lengths)
    found = match_heads(cost)
    assert (found.first == perm).all()
    # Heads in another order: the assignment is permuted along, and no total changes.
    order_a, order_b = rng.permutation(6), rng.permutation(6)
    moved = match_heads(head_costs(first[:, order_b], second[:, order_a], lengths))
    assert (order_b[moved.first] == perm[order_a]).all()
    np.testing.assert_allclose(moved.total, found.total, rtol=1e-13)
    mean, sd = shuffled_heads(cost)
    assert (found.total < mean - 3 * sd).all()


@pytest.mark.parametrize(("a", "b"), [(5, 5), (3, 5), (4, 2), (2, 2), (1, 1), (1, 4)])
def test_the_null_is_exact_over_all_assignments(a, b):
    cost = np.random.default_rng(a * 10 + b).random((2, a, b))
    mean, sd = shuffled_heads(cost)
    for i in range(2):
        larger = cost[i] if a <= b else cost[i].T
        totals = [
            sum(larger[row, column] for row, column in enumerate(columns))
            for columns in itertools.permutations(range(max(a, b)), min(a, b))
        ]
        assert mean[i] == pytest.approx(np.mean(totals), rel=1e-13)
        assert sd[i] == pytest.approx(np.std(totals), rel=1e-10, abs=1e-13)


def test_the_null_of_many_heads_agrees_with_draws():
    cost, rng = permutation_cost(0, 12), np.random.default_rng(1)
    draws = np.array([cost[np.arange(12), rng.permutation(12)].sum() for _ in range(20_000)])
    mean, sd = shuffled_heads(cost)
    assert mean == pytest.approx(draws.mean(), abs=5 * draws.std() / np.sqrt(len(draws)))
    assert sd == pytest.approx(draws.std(), rel=0.03)


def test_cross_fitting_keeps_what_all_samples_share_and_nothing_else():
    rng = np.random.default_rng(0)
    perm = rng.permutation(4)
    shared = rng.random((200, 4, 4))
    shared[:, np.arange(4), perm] -= 0.5
    folds = rng.integers(2, size=200)
    sums = np.stack([shared[folds == fold].sum(0) for fold in (0, 1)])
    expected = shared[:, np.arange(4), perm].sum(-1).mean()
    assert cross_fitted(sums, np.bincount(folds)) == pytest.approx(expected, rel=1e-12)
    # Costs without anything shared: each sample's own matching is far below the null, the cross-fitted one is not.
    noise = rng.random((4000, 4, 4))
    own, fitted = match_heads(noise).total.mean(), cross_fitted(noise.reshape(2, 2000, 4, 4).sum(1), [2000, 2000])
    mean, sd = shuffled_heads(noise.mean(0))
    assert own < mean - 0.5
    assert abs(fitted - mean) < 6 * sd
    # Halves that want opposite pairs: each is matched by the other, at the highest cost.
    opposite = np.array([[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    assert cross_fitted(3 * opposite, [3, 3]) == 2
    assert np.isnan(cross_fitted(np.zeros((2, 4, 4)), [0, 3]))


def test_published_totals_index_samples_by_heads():
    rng = np.random.default_rng(0)
    cost = rng.random((7, 4, 4))
    matching = match_heads(cost)
    by_hand = [
        sum(cost[a, matching.first[i, a], b] for a in range(4) for b in range(4)) for i in range(7)
    ]  # matching.second is 0 … 3
    np.testing.assert_allclose(bug_totals(cost, matching), by_hand, rtol=1e-14)
    np.testing.assert_allclose(bug_totals(cost[:4], matching), by_hand, rtol=1e-14)
    for bad in (cost[:3], rng.random((7, 3, 4))):
        with pytest.raises(ValueError, match="as many heads on both sides"):
            bug_totals(bad, match_heads(bad))
