"""Means over ragged items and parts against loops over them."""

import warnings

import numpy as np
import pytest
from scipy import stats

from metrics.agreement import agreements
from metrics.top_match import largest


def made(lengths, count, seed, decimals=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=int(lengths.sum())).round(decimals) for _ in range(count)]


def rows(flat, lengths):
    return np.split(flat, np.cumsum(lengths)[:-1])


def slow(u, v, lengths, inside, metric):
    values, chances, undefined = [], [], 0
    for mine, theirs, take in zip(rows(u, lengths), rows(v, lengths), inside, strict=True):
        if not take:
            continue
        if metric == "kendall":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tau = np.asarray(stats.kendalltau(mine, theirs))[0]
            if np.isnan(tau):
                undefined += 1
            else:
                values.append(tau)
                chances.append(0.0)
            continue
        k = largest(len(mine))
        fine = [sum(bool(other > value) for other in theirs) < k for value in theirs]
        values.append(fine[int(np.argmax(mine))])
        chances.append(np.mean(fine))
        undefined += bool(np.isnan(mine).any() or np.isnan(theirs).any())
    if not values:
        return np.nan, 0, undefined, np.nan
    return np.mean(values), len(values), undefined, np.mean(chances)


@pytest.mark.parametrize("metric", ["top5", "kendall"])
@pytest.mark.parametrize("memory", [1, 1 << 28])
def test_equals_loops(metric, memory):
    rng = np.random.default_rng(5)
    lengths = rng.integers(1, 30, size=40)
    u, v = made(lengths, 2, 6), made(lengths, 3, 7)
    first = np.cumsum(lengths) - lengths
    u[0][first[3]] = np.nan
    v[1][first[4] : first[4] + lengths[4]] = 2.0  # constant
    v[2][first[5] : first[5] + lengths[5]] = np.nan
    parts = np.stack([np.ones(40, dtype=bool), np.arange(40) % 2 == 0, np.zeros(40, dtype=bool)])
    found = agreements(u, v, lengths, parts, metric, memory_bytes=memory)
    for a, b, p in np.ndindex(2, 3, 3):
        mean, items, undefined, baseline = slow(u[a], v[b], lengths, parts[p], metric)
        assert found.mean[a, b, p] == pytest.approx(mean, abs=1e-12, nan_ok=True)
        assert found.baseline[a, b, p] == pytest.approx(baseline, abs=1e-12, nan_ok=True)
        assert (found.items[a, b, p], found.undefined[a, b, p]) == (items, undefined)
    every = parts.sum(axis=1)
    if metric == "kendall":  # nothing is dropped without being counted
        np.testing.assert_array_equal(found.items + found.undefined, np.broadcast_to(every, (2, 3, 3)))
    else:
        np.testing.assert_array_equal(found.items, np.broadcast_to(every, (2, 3, 3)))


def test_attention_that_is_all_equal_is_recorded():
    lengths = np.array([5, 8])
    even, ramp = np.full(13, 0.2), np.arange(13.0)
    parts = np.ones((1, 2), dtype=bool)
    tau = agreements([even], [ramp], lengths, parts, "kendall")
    assert (tau.items.item(), tau.undefined.item()) == (0, 2)
    assert np.isnan(tau.mean).all()
    top = agreements([even], [ramp], lengths, parts, "top5")
    assert (top.mean.item(), top.items.item(), top.undefined.item()) == (0.0, 2, 0)
    ties = agreements([ramp], [even], lengths, parts, "top5")  # nothing is larger than anything: published ties help
    assert (ties.mean.item(), ties.baseline.item()) == (1.0, 1.0)


def test_what_does_not_fit_is_named():
    parts = np.ones((1, 2), dtype=bool)
    with pytest.raises(ValueError, match=r"v\[0\] has the shape \(12,\); the items have 13 positions"):
        agreements([np.zeros(13)], [np.zeros(12)], np.array([5, 8]), parts, "top5")
    with pytest.raises(ValueError, match="item 1 has no position"):
        agreements([np.zeros(5)], [np.zeros(5)], np.array([5, 0]), parts, "top5")
    with pytest.raises(ValueError, match="parts of shape"):
        agreements([np.zeros(5)], [np.zeros(5)], np.array([5]), parts, "top5")
