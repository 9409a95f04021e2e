"""Similarities of all pairs from Gram matrices, against each pair by itself."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metrics import gradient_similarity
from metrics.gradient_similarity import cosines, distances, dots, grams, pair_statistics, pairs


def drawn(n: int = 6, size: int = 50, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@given(n=st.integers(2, 7), width=st.integers(1, 60), piece=st.integers(1, 60))
def test_all_pairs_are_what_each_is_by_itself_whatever_the_blocks(n, width, piece):
    rows = drawn(n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradient_similarity, "PIECE", piece)
        found = grams(rows.split(width, dim=1))
    vectors = rows.numpy()
    together = list(zip(*(index.tolist() for index in pairs(n)), strict=True))
    assert together == list(itertools.combinations(range(n), 2))
    for at, (i, j) in enumerate(together):
        a, b = vectors[i], vectors[j]
        assert dots(found.plain)[at] == pytest.approx(a @ b, abs=1e-12)
        assert cosines(found.plain)[at] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-13)
        for gram in (found.plain, found.centred):
            assert distances(gram)[at] == pytest.approx(np.linalg.norm(a - b), rel=1e-12)


def test_a_gradient_is_as_itself_and_opposite_to_its_negative():
    row = drawn(1)[0]
    plain = grams([torch.stack([row, row, -2 * row])]).plain
    assert cosines(plain) == pytest.approx([1, -1, -1], abs=1e-15)
    assert distances(plain)[0] == 0


def test_scaling_gradients_changes_no_cosine():
    rows = drawn()
    scaled = rows * torch.logspace(-6, 6, len(rows))[:, None]
    assert cosines(grams([scaled]).plain) == pytest.approx(cosines(grams([rows]).plain), abs=1e-13)


def test_zero_and_infinite_gradients_spoil_their_own_pairs_only():
    rows = drawn(5)
    good = grams([rows])
    bad = rows.clone()
    bad[1] = 0
    bad[3, 7] = torch.inf
    found = grams(bad.split(9, dim=1))
    own = np.array([3 in pair for pair in zip(*pairs(5), strict=True)])
    zero = np.array([1 in pair for pair in zip(*pairs(5), strict=True)])
    assert np.array_equal(np.isfinite(cosines(found.plain)), ~(own | zero))
    assert np.array_equal(np.isfinite(distances(found.centred)), ~own)
    kept = ~(own | zero)
    assert cosines(found.plain)[kept] == pytest.approx(cosines(good.plain)[kept], abs=1e-14)
    assert distances(found.centred)[kept] == pytest.approx(distances(good.centred)[kept], rel=1e-12)


def test_what_all_gradients_share_costs_the_centred_distances_no_digits():
    apart, shared = drawn(5, 400), 1e3 * drawn(1, 400, seed=1)
    rows = (apart + shared).float()
    exact = torch.pdist(rows.double()).numpy()
    found = grams([rows])
    assert distances(found.centred) == pytest.approx(exact, rel=1e-5)
    assert np.abs(distances(found.plain) / exact - 1).max() > 1e-4


def test_float32_products_are_added_up_in_float64():
    # Ones add up exactly in float32 to 2^24, not beyond.
    ones = torch.ones(2, 1, dtype=torch.float32).expand(2, (1 << 24) + 5 * gradient_similarity.PIECE)
    assert dots(grams([ones]).plain)[0] == (1 << 24) + 5 * gradient_similarity.PIECE


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([], "there are no blocks"),
        ([torch.ones(3)], r"a block of shape \(3,\); give \[gradients, coordinates\]"),
        ([torch.ones(3, 2), torch.ones(2, 2)], r"a block of shape \(2, 2\) after blocks of 3 gradients"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(blocks, message):
    with pytest.raises(ValueError, match=message):
        grams(blocks)


def slow_error(values_Q: np.ndarray, n: int, statistic) -> float:
    """The jackknife, leaving out one gradient at a time."""
    together = list(itertools.combinations(range(n), 2))
    there = [
        g for g in range(n) if any(g in pair and np.isfinite(v) for pair, v in zip(together, values_Q, strict=True))
    ]
    means = []
    for g in there:
        left = [v for pair, v in zip(together, values_Q, strict=True) if g not in pair and np.isfinite(v)]
        means.append(statistic(np.array(left)))
    m = len(means)
    return np.sqrt((m - 1) / m * np.sum((np.array(means) - np.mean(means)) ** 2))


@pytest.mark.parametrize("zero", [False, True])
def test_statistics_and_their_errors_are_those_of_a_loop(zero):
    rows = drawn(7, 3)
    if zero:
        rows[2] = 0
    values = cosines(grams([rows]).plain)
    found = pair_statistics(values, 7)
    known = values[np.isfinite(values)]
    assert len(known) == (15 if zero else 21)
    assert (found["min"].value, found["median"].value) == (known.min(), np.median(known))
    assert found["mean"].value == pytest.approx(known.mean())
    assert found["negative_share"].value == pytest.approx(np.mean(known < 0))
    assert found["mean"].error == pytest.approx(slow_error(values, 7, np.mean))
    assert found["negative_share"].error == pytest.approx(slow_error(values, 7, lambda v: np.mean(v < 0)))
    assert np.isnan(found["min"].error)


def test_the_error_is_about_the_spread_of_the_mean_over_draws():
    # Over independent draws of 40 gradients the mean cosine spreads as the jackknife of one draw says; taking pairs for
    # a sample would make it far smaller, since gradients with a common part have pairs that go up and down together.
    found, naive = [], []
    for seed in range(150):
        rows = drawn(40, 20, seed) + 0.5
        values = cosines(grams([rows]).plain)
        found.append(pair_statistics(values, 40)["mean"])
        naive.append(values.std() / np.sqrt(len(values)))
    spread = np.std([s.value for s in found], ddof=1)
    assert np.mean([s.error for s in found]) == pytest.approx(spread, rel=0.25)
    assert np.mean(naive) < 0.5 * spread


def test_too_few_pairs_have_no_error_and_none_no_value():
    two = pair_statistics(np.array([0.5]), 2)
    assert two["mean"].value == 0.5
    assert np.isnan(two["mean"].error)
    none = pair_statistics(np.array([np.nan]), 2)
    assert all(np.isnan(s.value) for s in none.values())
    with pytest.raises(ValueError, match=r"\(2,\) values for 3 gradients, which have 3 pairs"):
        pair_statistics(np.zeros(2), 3)
