"""From rows to tables, notes and figures, with rows made up."""

import io
import math

import numpy as np
import pytest

from tasks.analysis.panels import of
from tasks.transfer.representation_similarity.config import Config
from tasks.transfer.representation_similarity.plan import plan
from tasks.transfer.representation_similarity.reduce import summarise
from tasks.transfer.representation_similarity.stages import METRICS, SIMILARITY, TABLES
from tests.fake_results import FakeResults
from tests.tasks.transfer.representation_similarity.conftest import TINY

LEVELS = (0, 1, 2)
SMALL = {
    "models": ("small",),
    "layers": None,
    "width": 16,
    "pretrain_depth": 2,
    "heads": 2,
    "embedding": 8,
    "max_length": 32,
}


def config(**options):
    return Config(
        **(TINY | SMALL | {"pairs": ("pretrained-plus", "random-plus"), "encoder_seeds": (0, 1, 2)} | options)
    )


def rows_of(job, value, n_rows=1000, null=0.2, shuffled=0.3):
    lead = {"n_rows": n_rows, "dim_first": 16, "dim_second": 12, "rank_first": 15, "rank_second": 11}
    return {
        "similarity": [
            {
                "level_first": a,
                "level_second": b,
                "metric": metric,
                "value": value + 0.01 * (a + b),
                "null_mean": null,
                "null_sd": 0.01,
                "null_max": null + 0.02,
                "shuffled": shuffled,
                **lead,
            }
            for a in LEVELS
            for b in LEVELS
            for metric in METRICS
        ],
        "costs": [
            {
                "n_proteins": 9,
                "n_rows": n_rows,
                "level_pairs": 9,
                "data_passes": 1,
                "batch_size": 9,
                "layer_passes": 45,
                "moment_bytes": 1000,
                "encoder_seconds": 1.0,
                "moment_seconds": 2.0,
                "compare_seconds": 3.0,
            }
        ],
    }


def results(made, value_of, **how):
    jobs = [job for job in plan(made) if job.stage is SIMILARITY]
    return FakeResults(TABLES, [(job, rows_of(job, value_of(job.params), **how)) for job in jobs])


def by_pair(params):
    """Pretrained 0.8; random twins 0.48, 0.50, 0.52."""
    return 0.8 if params.first == "pretrained" else 0.48 + 0.02 * params.encoder_seed


@pytest.fixture
def drawn_out(monkeypatch):
    """Drawing takes most of the time; only the figures' own test looks at them."""
    monkeypatch.setattr("tasks.transfer.representation_similarity.figures.draw", lambda levels, last: {})


@pytest.mark.usefixtures("drawn_out")
def test_means_over_seeds_beside_nulls():
    summary = summarise(results(config(), by_pair), config())
    row = of(summary.tables["levels"], pair="random-plus", level_first=1, level_second=2, metric="cka").iloc[0]
    assert row["mean"] == pytest.approx(0.53)
    half = 4.302653 * 0.02 / math.sqrt(3)
    assert (row["low"], row["high"]) == (pytest.approx(0.53 - half), pytest.approx(0.53 + half))
    assert row["seeds"] == 3
    assert row["above_null"] == pytest.approx(0.33)
    assert row["above_shuffled"] == pytest.approx(0.23)
    assert row["null_max"] == pytest.approx(0.22)
    last = summary.tables["last_levels"]
    assert len(last) == 2 * len(METRICS)
    assert set(last["level_first"]) == set(last["level_second"]) == {2}
    best = of(summary.tables["closest_levels"], pair="pretrained-plus", metric="pwcca").iloc[0]
    assert (best["level_first"], best["level_second"]) == (2, 2)
    assert best["above"] == pytest.approx(0.84 - 0.3)
    assert summary.tables["costs"]["layer_passes"].sum() == 4 * 45


@pytest.mark.usefixtures("drawn_out")
@pytest.mark.parametrize(
    ("pretrained", "clear", "word"), [(0.8, True, "closer"), (0.55, False, "closer"), (0.1, True, "farther")]
)
def test_the_question_of_the_paper_is_answered(pretrained, clear, word):
    summary = summarise(results(config(), lambda p: pretrained if p.first == "pretrained" else by_pair(p)), config())
    row = of(summary.tables["closer_to_plus"], metric="pwcca_mean").iloc[0]
    assert row["difference"] == pytest.approx(pretrained - 0.5)
    assert row["mean_pretrained"] == pytest.approx(pretrained + 0.04)
    assert bool(row["clear"]) is clear
    note = next(note for note in summary.notes if "by PWCCA" in note)
    assert word in note


@pytest.mark.usefixtures("drawn_out")
def test_few_rows_missing_pairs_and_bad_values_are_said():
    def said(found, asked=config()):  # noqa: B008  # a config is frozen
        return len(summarise(found, asked).notes)

    plain = said(results(config(), by_pair))
    assert said(results(config(), by_pair, n_rows=100)) == plain + 1  # 6.2 for each of 16 features are few
    assert said(results(config(), by_pair, shuffled=0.7)) == plain + 1  # rows repeat each other
    more = config(pairs=("pretrained-plus", "pretrained-random", "random-plus"))
    assert said(results(config(), by_pair), more) == plain + 1  # a pair is missing
    bad = summarise(results(config(), lambda p: math.nan if p.encoder_seed == 1 else by_pair(p)), config())
    assert len(bad.notes) == plain
    assert set(of(bad.tables["levels"], pair="random-plus")["seeds"]) == {2}
    assert bad.tables["levels"]["not_finite"].sum() == 9 * len(METRICS)


@pytest.mark.parametrize("value", [0.5, math.nan])
def test_figures_are_drawn(value):
    made = config(encoder_seeds=(0, 1))
    summary = summarise(results(made, lambda p: value), made)
    assert set(summary.figures) == {"last", "maps-small-builtin"}
    for figure in summary.figures.values():
        figure.savefig(io.BytesIO(), dpi=40)
        assert all(axis.get_xlabel() or axis.get_ylabel() or axis.get_title() for axis in figure.axes)
    texts = [text.get_text() for axis in summary.figures["maps-small-builtin"].axes for text in axis.texts]
    assert ("no values" in texts) is bool(np.isnan(value))
