"""The tables, figures and sentences of `bert_pretraining` from made rows: runs that train, lag and diverge."""

import dataclasses
import math

import numpy as np
import pytest

from tasks.deepscale.bert_pretraining import EXPERIMENT
from tasks.deepscale.bert_pretraining.config import PRESETS
from tasks.deepscale.bert_pretraining.plan import plan
from tasks.deepscale.bert_pretraining.reduce import summarise
from tasks.training.loop import metric_rows
from tests.fake_results import FakeResults

CONFIG = dataclasses.replace(PRESETS["quick"], seeds=(0, 1))
NAN = math.nan


def rows_of(job):
    """dslm trains; pre-LN vanilla stays at the frequencies; post-LN vanilla diverges in the step 31 + seed."""
    p = job.params
    diverges = (p.norm, p.scheme) == ("post", "vanilla")
    low = {"dslm": 4.0, "vanilla": 6.0}[p.scheme] + 0.2 * p.seed
    training = []
    for step in (10, 20, 30):
        loss = low + 2 / step
        values = {"loss": loss + 0.7, "mlm_loss": loss, "order_loss": 0.7, "gradient_norm": 1 / step}
        training += metric_rows(step, {**values, "learning_rate": 1e-3, "tokens_per_second": 100.0 * step})
        training += metric_rows(step, {"flops_utilisation": 0.25})
    if diverges:
        training += metric_rows(31 + p.seed, {"loss": NAN, "mlm_loss": NAN, "gradient_norm": math.inf})
    else:
        training += metric_rows(30, {"test_mlm_loss": low})
    outcome = {
        "status": "diverged" if diverges else "trained" if low < 5 else "not_training",
        "step": 31 + p.seed if diverges else 30,
        "mlm_loss": low + 2 / 30,
        "test_mlm_loss": NAN if diverges else low,
        "test_mlm_accuracy": NAN if diverges else 0.25,
        "test_order_accuracy": NAN if diverges else 0.5,
        "unigram_loss": NAN if diverges else 6.0,
        "unigram_entropy": 6.5,
        "n_pieces": 100, "n_sequences": 10, "n_parameters": 1000, "n_tokens": 5000.0, "padding": 0.125,
    }  # fmt: skip
    return {"training": training, "outcomes": [outcome]}


@pytest.fixture(scope="module")
def summary():
    jobs = list(plan(CONFIG))
    return summarise(FakeResults(EXPERIMENT.tables, [(job, rows_of(job)) for job in jobs]), CONFIG)


def test_variants_say_what_became_of_their_runs(summary):
    table = summary.tables["variants"].set_index(["norm", "scheme"])
    assert table["runs"].tolist() == [2, 2, 2, 2]
    assert table.loc[("post", "dslm"), "trained"] == 2
    assert table.loc[("pre", "vanilla"), "not_training"] == 2
    assert table.loc[("post", "vanilla"), "diverged"] == 2
    assert table.loc[("post", "vanilla"), "first_diverged_step"] == 31
    assert np.isnan(table.loc[("post", "vanilla"), "test_mlm_loss"])
    assert table.loc[("pre", "dslm"), "test_mlm_loss"] == pytest.approx(4.1)
    assert table.loc[("pre", "dslm"), "test_perplexity"] == pytest.approx(math.exp(4.1))
    assert table.loc[("pre", "dslm"), "ci_low"] == pytest.approx(4.1 - 12.7062 * 0.1, rel=1e-4)  # Student, two seeds


def test_throughput_is_the_median_over_points(summary):
    table = summary.tables["throughput"]
    assert len(table) == 8
    assert set(table["tokens_per_second"]) == {2000.0}
    assert set(table["flops_utilisation"]) == {0.25}
    assert set(table["highest_gradient_norm"]) == {0.1}


def test_the_sentences_say_which_diverge_and_which_train(summary):
    text = " ".join(summary.notes)
    assert "post-LN vanilla, 6 layers, 2 runs: 2 diverged (the first at step 31)." in text
    assert "post-LN dslm, 6 layers, 2 runs: 2 trained; a masked token of the test part costs 4.100 nats" in text


def test_all_variants_are_in_one_figure_with_crosses_where_they_diverged(summary):
    (axis,) = summary.figures["loss_curves"].axes
    crosses = [line for line in axis.lines if line.get_marker() == "x"]
    assert sorted(int(line.get_xdata()[0]) for line in crosses) == [31, 32]
    assert sorted({float(line.get_ydata()[0]) for line in crosses}) == pytest.approx([6 + 1 / 15, 6.2 + 1 / 15])
    assert len(axis.lines) == 8 + 2 + 1  # runs, crosses, the frequencies
    labels = [text.get_text() for text in summary.figures["loss_curves"].legends[0].get_texts()]
    assert {"post-LN, dslm", "pre-LN, vanilla", "diverged", "token frequencies alone"} <= set(labels)


def test_half_a_sweep():
    jobs = list(plan(CONFIG))
    part = summarise(FakeResults(EXPERIMENT.tables, [(job, rows_of(job)) for job in jobs[:3]]), CONFIG)
    assert len(part.tables["outcomes"]) == 3
    assert part.tables["variants"]["runs"].sum() == 3


def test_where_all_diverge_the_figures_say_so():
    config = dataclasses.replace(CONFIG, norms=("post",), schemes=("vanilla",))
    jobs = list(plan(config))
    only = {"training": metric_rows(1, {"mlm_loss": NAN, "gradient_norm": NAN, "learning_rate": 1.0})}
    rows = [(job, {**rows_of(job), **only}) for job in jobs]
    summary = summarise(FakeResults(EXPERIMENT.tables, rows), config)
    assert "no values" in [text.get_text() for text in summary.figures["loss_curves"].axes[0].texts]
    summary.figures["optimisation"].canvas.draw()
