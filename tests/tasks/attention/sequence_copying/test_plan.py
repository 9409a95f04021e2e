"""Which jobs there are, that more seeds leave full blocks alone, and what is refused before the start."""

from dataclasses import replace

import pytest

from tasks.attention.sequence_copying.config import PRESETS, Config
from tasks.attention.sequence_copying.plan import plan


def test_one_job_a_setting_attention_and_block():
    jobs = list(plan(Config()))
    assert len(jobs) == 2 * 3
    assert [job.params.seeds for job in jobs[:3]] == [tuple(range(8)), tuple(range(8, 16)), tuple(range(16, 20))]
    assert {(job.params.kind, job.params.symbols) for job in jobs} == {("permutation", 40), ("distinct", 60)}
    assert len({job.id for job in jobs}) == 6
    first = jobs[0]
    assert first.passes == 2 * 128 * 191 * 8  # the updates behind the evaluation at step 190 are left out


def test_more_seeds_and_settings_leave_full_blocks_as_they_are():
    some = {job.id for job in plan(Config(seeds=tuple(range(16)), settings=("distinct-60",)))}
    more = {job.id for job in plan(Config(seeds=tuple(range(24)), settings=("repeat-40", "distinct-60")))}
    assert some < more
    in_another_order = {job.id for job in plan(Config(seeds=tuple(reversed(range(16))), settings=("distinct-60",)))}
    assert in_another_order == some


def test_the_published_setting():
    paper = PRESETS["paper"]
    assert (paper.length, paper.hidden, paper.batch, paper.learning_rate) == (40, 256, 128, 1e-3)
    assert (paper.steps, paper.evaluate_every, paper.evaluation_sequences, len(paper.seeds)) == (200, 10, 50, 20)
    assert paper.settings == ("permutation-40", "distinct-60")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": ("permutation-30",)}, "length is 40: give 30 with permutation-30, or copy permutation-40"),
        ({"settings": ("distinct-40",)}, "length is 40: give less than 40"),
        ({"settings": ("anything",)}, "is no setting"),
        ({"settings": ("repeat-4", "repeat-4")}, "has repeat-4 twice"),
        ({"seeds": ()}, "seeds is empty"),
        ({"learned_from": 1.5}, "learned-from is 1.5: give more than 0 and at most 1"),
        ({"learning_rate": -1.0}, "learning-rate is -1"),
        ({"batch": 0}, "batch is 0"),
        ({"seeds_together": 0}, "seeds-together is 0"),
    ],
)
def test_bad_options(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(Config(), **changes)
