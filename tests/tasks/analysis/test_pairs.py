"""Choices are judged on the other half, and pairs are those of one run."""

import itertools

import numpy as np
import pandas as pd

from tasks.analysis.runs import COMMON, best_on_each_half, paired, second_of_two_halves

HALVES = ("first", "second")


def test_the_choice_of_each_half_is_that_of_a_plain_loop():
    random = np.random.default_rng(0)
    rows = [
        {"level": level, "rate": rate, "part": part, "seed": seed, "value": float(random.integers(0, 4))}
        for level, rate, part, seed in itertools.product((0, 1, 2), (1, 2, 3), (*HALVES, "all"), (0, 1))
    ]
    table = best_on_each_half(pd.DataFrame(rows), ["level"], ["rate"], HALVES)
    expected = []
    for level in (0, 1, 2):
        for here, other in (HALVES, HALVES[::-1]):
            mean = {
                (rate, part): np.mean(
                    [r["value"] for r in rows if (r["level"], r["rate"], r["part"]) == (level, rate, part)]
                )
                for rate in (1, 2, 3)
                for part in HALVES
            }
            rate = max((1, 2, 3), key=lambda rate: mean[rate, here])
            expected.append((level, here, rate, mean[rate, here], mean[rate, other]))
    assert list(table.itertuples(index=False, name=None)) == expected


def test_a_candidate_without_a_value_on_both_halves_is_none():
    rows = [
        ("a", "first", 9.0),
        ("b", "first", 1.0),
        ("b", "second", 2.0),
        ("c", "first", 5.0),
        ("c", "second", np.nan),
    ]
    table = best_on_each_half(
        pd.DataFrame([{"group": 0, "name": name, "part": part, "value": value} for name, part, value in rows]),
        ["group"],
        ["name"],
        HALVES,
    )
    assert table["name"].tolist() == ["b", "b"]
    assert (table["there"].tolist(), table["elsewhere"].tolist()) == ([1.0, 2.0], [2.0, 1.0])
    empty = pd.DataFrame(columns=["group", "name", "part", "value"])
    assert not len(best_on_each_half(empty, ["group"], ["name"], HALVES))


def test_pairs_are_of_one_run_and_a_common_one_goes_with_all():
    left = pd.DataFrame({"level": [0, 0, 1, 1], "seed": [1, 2, 1, COMMON], "value": [1.0, 2.0, 3.0, 4.0]})
    right = pd.DataFrame({"level": [0, 0, 1], "seed": [1, 3, 5], "value": [10.0, 20.0, 30.0]})
    both = paired(left, right, ["level"], ("_after", "_before"))
    found = both[["level", "seed", "value_after", "value_before"]].to_numpy().tolist()
    assert found == [[0, 1, 1.0, 10.0], [1, 5, 4.0, 30.0]]
    both = paired(right, left.assign(seed=COMMON), ["level"], ("_a", "_b"))
    assert sorted(both["seed"]) == [1, 1, 3, 3, 5, 5]


def test_halves_keep_groups_whole_and_differ_by_one_group_at_most():
    group = np.array([3, 3, 3, 1, 1, 0, 0, 2])
    second = second_of_two_halves(group)
    assert second.tolist() == [False, False, False, True, True, True, True, False]
    for one in np.unique(group):
        assert len(set(second[group == one])) == 1
    largest = max(np.unique(group, return_counts=True)[1])
    assert abs(int(second.sum()) - int((~second).sum())) <= largest
