"""Tables, figures and sentences from the rows of made-up runs."""

import dataclasses

import numpy as np
import pytest

from orchestrator.experiment import Context
from tasks.attention.learning.labels import PUBLISHED, Labels, others, published
from tasks.attention.learning.plan import AGREEMENT, STATISTICS
from tasks.attention.learning.reduce import summarise
from tasks.attention.learning.runs import LearningOptions
from tasks.attention.learning.statistics import attention_statistics
from tests.fake_results import FakeResults
from tests.tasks.attention.learning.fake import OPTIONS, RUNS, SPECS, STEPS, jobs, performance_rows, write_all

LABELS = Labels(
    task="classification",
    item="document",
    performance={"accuracy": "accuracy (fraction)"},
    unit={"accuracy": ""},
    datasets=("made",),
    runs=RUNS,
    steps={"made": STEPS},
)
TABLES = {**SPECS, "agreement": AGREEMENT, "statistics": STATISTICS}


def summary_of(results, labels):
    return summarise(results, labels, tables={}, drawn={}, captions={}, told=[])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Jobs with their rows: all evaluations, and the statistics."""
    job, evaluations = jobs()
    needs = write_all(tmp_path_factory.mktemp("scores"))
    rows = [(one, {"performance": performance_rows(run, step)}) for (run, step), one in evaluations.items()]
    return rows, (job, attention_statistics(job.params, Context(needs=needs)))


def test_a_whole_sweep(done):
    evaluations, statistics = done
    summary = summary_of(FakeResults(TABLES, [*evaluations, statistics]), LABELS)
    assert set(summary.tables) == {"dictionary", "curves", "runs", "undefined"}
    assert set(summary.figures) == {"learning-made", "agreement", "crossing"}
    assert set(summary.captions) == set(summary.tables) | set(summary.figures)
    assert not any("missing" in note for note in summary.notes)
    assert (summary.tables["undefined"]["undefined"] == 0).all()
    dictionary = summary.tables["dictionary"].set_index(["split", "metric", "key"])
    entry = dictionary.loc["val", "top5", "agr_grad"]
    assert entry["value"] > entry["legacy_sign"]
    rows = [row for row in statistics[1]["statistics"] if row["key"] == "agr_grad" and row["metric"] == "top5"]
    where = {(row["split"], row["selection"], row["sign"]): row["value"] for row in rows}
    assert entry["held_out"] == where["val", "held_out", "correct"]
    assert entry["legacy_sign"] == where["val", "same", "legacy"]
    runs = summary.tables["runs"].query("split == 'val' and kind == 'normal' and seed == 20").set_index("metric")
    assert runs.loc["accuracy", "best_step"] == runs.loc["perplexity", "best_step"] == 100
    curves = summary.tables["curves"].query("split == 'val' and metric == 'kendall'")
    assert curves["step"].tolist() == list(STEPS)
    assert (curves["low"] <= curves["agreement"]).all()
    assert (curves["agreement"] <= curves["high"]).all()


def test_two_performances_choose_two_checkpoints(tmp_path):
    job, evaluations = jobs(
        dataclasses.replace(OPTIONS, metrics=("top5",)), performances=("accuracy", "bleu"), legacy_sign=False
    )
    rows = [(one, {"performance": performance_rows(run, step)}) for (run, step), one in evaluations.items()]
    rows.append((job, attention_statistics(job.params, Context(needs=write_all(tmp_path)))))
    labels = dataclasses.replace(
        LABELS,
        task="translation",
        item="target position",
        performance={"accuracy": "accuracy (%)", "bleu": "BLEU (0-100)"},
        unit={"accuracy": " %", "bleu": " BLEU"},
    )
    summary = summary_of(FakeResults(TABLES, rows), labels)
    best = summary.tables["dictionary"].query("key == 'best_perf' and split == 'val'").set_index("performance")
    assert best["step"].to_dict() == {"accuracy": 100, "bleu": 50}
    titles = [axis.get_title() for axis in summary.figures["learning-made"].axes]
    assert [title for title in titles if title] == [
        f"{split}, by {name}"
        for name in ("accuracy", "bleu")
        for split in ("evaluation split", "sample of the training split")
    ]
    assert len([axis for axis in summary.figures["agreement"].axes if axis.get_title()]) == 4
    assert summary.tables["dictionary"]["legacy_sign"].isna().all()


def test_one_comparison_run_has_no_interval(tmp_path):
    options = LearningOptions(seeds=(20, 13), metrics=("kendall",), splits=("val",))
    job, evaluations = jobs(options, legacy_sign=False)
    rows = [(one, {"performance": performance_rows(run, step)}) for (run, step), one in evaluations.items()]
    rows.append((job, attention_statistics(job.params, Context(needs=write_all(tmp_path)))))
    summary = summary_of(FakeResults(TABLES, rows), dataclasses.replace(LABELS, runs=options.runs))
    curves = summary.tables["curves"]
    assert curves["low"].isna().all()
    assert curves["agreement"].notna().all()
    assert "learning-made" in summary.figures


def test_a_sweep_that_has_just_begun_says_what_is_missing(done):
    evaluations, (job, _) = done
    summary = summary_of(FakeResults(TABLES, [*evaluations[:3], (job, {})]), LABELS)
    assert set(summary.tables) == {"runs"}
    assert not summary.figures
    assert summary.tables["runs"]["checkpoints"].unique().tolist() == [3]
    assert "13 of 16 evaluated checkpoints of made are missing." in summary.notes
    assert "1 of 1 data sets' statistics are missing." in summary.notes


def test_published_numbers_are_found_under_any_form_of_a_name():
    assert published("classification", "stanfordnlp/imdb", "val", "accuracy") is PUBLISHED[0]
    assert published("classification", "ag_news", "val", "accuracy") is None
    assert [one.dataset for one in others("classification", "ag_news", "val", "accuracy")] == ["IMDB", "Amzn", "Furd"]
    assert others("translation", "multi30k", "val", "bleu") == []
    for one in PUBLISHED:  # the inequality that every printed set fulfils
        px, unif, baseline = (one.numbers.get(key) or 0 for key in ("agr_px", "agr_unif", "baseline"))
        assert px > unif > baseline


def test_values_that_are_not_numbers_do_not_stop_it(done):
    evaluations, (job, tables) = done
    broken = {
        "agreement": [{**row, "mean": np.nan} if row["metric"] == "kendall" else row for row in tables["agreement"]],
        "statistics": [{**row, "value": np.nan} if row["metric"] == "kendall" else row for row in tables["statistics"]],
    }
    summary = summary_of(FakeResults(TABLES, [*evaluations, (job, broken)]), LABELS)
    dictionary = summary.tables["dictionary"].set_index("metric")
    assert dictionary.loc["kendall", "value"].isna().all()
    assert dictionary.loc["top5", "value"].notna().any()
