"""The combinations of heads are the published ones."""

import json
from pathlib import Path

import pytest

from tasks.attention.multihead_copying.config import COMBINED
from tasks.attention.multihead_copying.training import combinations

PUBLISHED = json.loads((Path(__file__).parent / "multihead_schedule.json").read_text("utf-8"))


def test_every_combination_is_the_published_one():
    found = combinations(range(20), range(20), range(30), count=50, size=8)
    assert found["bad"] == [tuple(heads) for heads in PUBLISHED["bad"]]
    assert found["good"] == [(*heads["bad"], *heads["good"]) for heads in PUBLISHED["good"]]
    assert found["random"] == [tuple(heads) for heads in PUBLISHED["random"]]
    assert {kind: len(set(found[kind])) for kind in COMBINED} == PUBLISHED["distinct"]


def test_names_of_heads_stand_at_their_places():
    named = combinations([2 * n for n in range(20)], [2 * n + 1 for n in range(20)], range(30), count=3, size=8)
    assert [tuple(h // 2 for h in heads) for heads in named["bad"]] == [tuple(h) for h in PUBLISHED["bad"][:3]]
    assert all(heads[-1] % 2 == 1 and all(h % 2 == 0 for h in heads[:-1]) for heads in named["good"])


@pytest.mark.parametrize(
    ("bad", "good", "drawn", "kinds"),
    [(7, 1, 8, {"good", "random"}), (8, 0, 7, {"bad"}), (6, 5, 0, set()), (8, 1, 8, {"bad", "good", "random"})],
)
def test_kinds_with_too_few_heads_have_no_combinations(bad, good, drawn, kinds):
    found = combinations(range(bad), range(good), range(drawn), count=4, size=8)
    assert {kind for kind in COMBINED if found[kind]} == kinds
    assert all(len(found[kind]) == 4 for kind in kinds)
