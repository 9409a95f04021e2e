"""Top-p match against its definition, position by position, with ties, NaN and infinities."""

import json
from pathlib import Path

import numpy as np
import pytest

from metrics.top_match import largest, top_match

PARITY = Path(__file__).parents[1] / "parity"


def slow_match(u: np.ndarray, v: np.ndarray, k: int) -> bool:
    j = int(np.argmax(u))
    return sum(bool(value > v[j]) for value in v) < k


def slow_baseline(v: np.ndarray, k: int) -> float:
    return float(np.mean([sum(bool(other > value) for other in v) < k for value in v]))


def rankings(kind: str, n: int, count: int, positions: int) -> np.ndarray:
    rng = np.random.default_rng(len(kind) + positions)
    values = rng.normal(size=(n, count, positions))
    if kind == "ties":
        return values.round(0)
    if kind == "nan":
        values[rng.random(values.shape) < 0.1] = np.nan
    if kind == "infinite":
        values[rng.random(values.shape) < 0.3] = -np.inf
    return values


@pytest.mark.parametrize("kind", ["random", "ties", "nan", "infinite"])
@pytest.mark.parametrize("positions", [1, 2, 20, 21, 45])
def test_equals_the_definition(kind, positions):
    u, v = rankings(kind, 5, 3, positions), rankings(kind + "-", 5, 4, positions)
    for k in (1, 3, largest(positions), positions + 2):
        match, baseline = top_match(u, v, k)
        for item, a, b in np.ndindex(5, 3, 4):
            assert match[item, a, b] == slow_match(u[item, a], v[item, b], k)
            assert baseline[item, b] == pytest.approx(slow_baseline(v[item, b], k), abs=1e-15)


def test_the_baseline_is_the_mean_over_all_permutations():
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(1, 1, 30)), rng.normal(size=30).round(1)
    shuffled = np.stack([rng.permutation(v) for _ in range(4000)])[None]
    match, baseline = top_match(u, shuffled, 2)
    assert np.ptp(baseline) == 0
    assert abs(match.mean() - baseline[0, 0]) < 4 * np.sqrt(0.25 / 4000)


def test_k_is_the_published_one():
    table = json.loads((PARITY / "k_table.json").read_text())
    assert [largest(n) for n in table["n"]] == next(table[name] for name in table if name != "n")


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"u of shape \(1, 1, 3\) and v of shape \(1, 1, 4\)"):
        top_match(np.zeros((1, 1, 3)), np.zeros((1, 1, 4)), 1)
    with pytest.raises(ValueError, match="k is 0"):
        top_match(np.zeros((1, 1, 3)), np.zeros((1, 1, 3)), 0)
