"""Which blocks know of which, what needs what, and what is refused before the start."""

from dataclasses import replace

import pytest

from tasks.attention.multihead_copying.config import PRESETS, Config
from tasks.attention.multihead_copying.plan import plan

SMALL = Config(candidates=50, combinations=25)


def jobs_of(config: Config, stage: str) -> list:
    return [job for job in plan(config) if job.stage.name == stage]


def test_a_block_of_candidates_knows_of_all_but_the_lanes_before_it():
    blocks = jobs_of(SMALL, "screen_heads")
    assert [job.params.heads[0] for job in blocks] == [0, 8, 16, 24, 32, 40, 48]
    assert blocks[-1].params.heads == (48, 49)
    for number, job in enumerate(blocks):
        assert [need.id for need in job.needs.values()] == [other.id for other in blocks[: max(number - 3, 0)]]
    one_by_one = jobs_of(replace(SMALL, lanes=1), "screen_heads")
    assert [len(job.needs) for job in one_by_one] == list(range(7))
    assert blocks[0].passes == 2 * 128 * 190 * 8 * 3  # evaluations stand before updates: 190 of them


def test_combinations_need_every_block_and_random_ones_none():
    blocks = {job.id for job in jobs_of(SMALL, "screen_heads")}
    combined = jobs_of(SMALL, "combine_heads")
    assert [(job.params.combined, job.params.combinations[0]) for job in combined] == [
        (kind, first) for kind in ("bad", "good", "random") for first in (0, 10, 20)
    ]
    for job in combined:
        needs = {need.id for need in job.needs.values()}
        assert needs == (set() if job.params.combined == "random" else blocks)
    assert not jobs_of(replace(SMALL, combined=("random",)), "screen_heads")


def test_more_combinations_and_more_candidates_leave_the_first_jobs_as_they_are():
    some = {job.id for job in plan(replace(SMALL, combinations=20))}
    more = {job.id for job in plan(replace(SMALL, combinations=40))}
    assert some < more
    first = [job.id for job in jobs_of(replace(SMALL, candidates=48), "screen_heads")]
    assert first == [job.id for job in jobs_of(replace(SMALL, candidates=80), "screen_heads")][:6]


def test_the_published_setting():
    paper = PRESETS["paper"]
    assert (paper.setting, paper.length, paper.hidden, paper.batch, paper.steps) == (
        "permutation-40",
        40,
        256,
        128,
        200,
    )
    assert (paper.size, paper.wanted, paper.random_heads, paper.combinations) == (8, 20, 30, 50)
    assert (paper.good_above, paper.bad_below, paper.data_seeds, paper.evaluation_sequences) == (
        0.95,
        0.6,
        (0, 1, 2),
        400,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"setting": "permutation-30"}, "length is 40: give 30 with permutation-30"),
        ({"random_heads": 7}, "random-heads is 7"),
        ({"wanted": 7}, "wanted is 7"),
        ({"bad_below": 0.96}, "bad-below is 0.96: give at most good-above, 0.95"),
        ({"size": 1}, "size is 1"),
        ({"lanes": 0}, "lanes is 0"),
        ({"combined": ()}, "combined is empty"),
        ({"data_seeds": ()}, "data-seeds is empty"),
        ({"learned_from": 1.0}, "learned-from is 1"),
        ({"learning_rate": 0.0}, "learning-rate is 0"),
    ],
)
def test_bad_options(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(Config(), **changes)
