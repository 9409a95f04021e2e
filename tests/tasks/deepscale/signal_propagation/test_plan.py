"""Which jobs there are, what names them, and what is refused before the start."""

from dataclasses import replace

import pytest

from tasks.data.errors import DataError
from tasks.deepscale.signal_propagation.config import PRESETS, Config
from tasks.deepscale.signal_propagation.plan import plan

QUICK = PRESETS["quick"]


def test_one_job_a_network_source_and_seed_and_one_a_depth_of_the_rule():
    jobs = list(plan(QUICK))
    stages = [job.stage.name for job in jobs]
    assert stages.count("signals") == 2 * 3 * 2 * 3
    assert stages.count("depth_rule") == len(QUICK.rule_depths)
    assert len({job.id for job in jobs}) == len(jobs)
    text = [job for job in jobs if job.stage.name == "signals" and job.params.source == "text"]
    assert {job.needs["documents"].id for job in text} == {text[0].needs["documents"].id}
    assert all(job.fingerprints for job in text)
    others = [job for job in jobs if job.stage.name == "signals" and job.params.source != "text"]
    assert not any(job.needs or job.fingerprints for job in others)


def test_random_tokens_need_no_corpus():
    config = replace(QUICK, sources=("zipf",), corpus="/nowhere", seeds=(0,), rule_depths=())
    assert len(list(plan(config))) == 6
    with pytest.raises(DataError, match="/nowhere"):
        list(plan(replace(config, sources=("text",))))


def test_the_published_setting():
    paper = PRESETS["paper"]
    assert (paper.depths, paper.width, paper.heads, paper.length, paper.batch) == ((192,), 1024, 16, 256, 8)
    assert paper.branch_k / 192**paper.branch_alpha == pytest.approx(0.005)
    assert len(paper.seeds) >= 5
    legacy = PRESETS["legacy"]
    assert (legacy.correlation, legacy.legacy_padding, legacy.legacy_logit_scale) == (0.221, True, True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depths": (0,)}, "depths is 0: give at least 1"),
        ({"norms": ("pre", "pre")}, "norms has pre twice"),
        ({"rule_ks": (2.0,)}, "rule-ks is 2.0: give more than 0 and less than 1"),
        ({"rule_dropouts": (1.0,)}, "rule-dropouts is 1.0"),
        ({"batch": 0}, "batch is 0: give at least 1"),
        ({"length": 5}, "length is 5: give at least 8"),
    ],
)
def test_bad_options(changes, message):
    with pytest.raises(ValueError, match=message):
        Config(**changes)


def test_a_width_that_heads_do_not_divide_and_a_k_that_is_too_large_end_the_plan():
    with pytest.raises(ValueError, match="heads"):
        list(plan(replace(QUICK, heads=5, rule_depths=())))
    with pytest.raises(ValueError, match=r"branch.k"):
        list(plan(replace(QUICK, branch_k=100.0, rule_depths=())))
