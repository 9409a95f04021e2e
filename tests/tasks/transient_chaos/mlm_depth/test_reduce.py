"""Curves, peaks and figures from rows."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from metrics.intervals import mean_interval
from tasks.transient_chaos.mlm_depth import EXPERIMENT
from tasks.transient_chaos.mlm_depth.config import PRESETS
from tasks.transient_chaos.mlm_depth.reduce import depth_curves, depth_figure, nominal_depth, peaks, summarise


def rows(encoder, readout, values, *, seed=0, encoder_seed=None, data_seed=0):
    """Rows of accuracy, loss and perplexity at depths 1, 2, …"""
    lead = {"encoder": encoder, "init_style": "hf_default" if encoder == "random" else None}
    lead |= {"encoder_seed": encoder_seed, "data_seed": data_seed, "readout": readout, "seed": seed}
    return [
        {**lead, "depth": depth, "metric": metric, "value": value if metric == "accuracy" else 10 * (1 - value)}
        for depth, value in enumerate(values, start=1)
        for metric in ("accuracy", "loss", "perplexity")
    ]


SCORES = pd.DataFrame(
    [
        *rows("pretrained", "new", [0.1, 0.3, 0.2], seed=0),
        *rows("pretrained", "new", [0.2, 0.4, 0.1], seed=1),
        *rows("pretrained", "zero_shot", [0.0, 0.5, 0.1]),
        *rows("random", "new", [0.1, 0.1, np.nan], encoder_seed=0),
        *rows("random", "new", [0.3, 0.1, 0.1], encoder_seed=0, seed=1),
        *rows("random", "new", [0.4, 0.1, 0.1], encoder_seed=1),
    ]
)


class Rows:
    """Results with only these tables."""

    def __init__(self, **tables):
        self.tables = tables
        self.jobs = pd.DataFrame({"job_id": [], "seconds": []})

    def table(self, name):
        if name in self.tables:
            return self.tables[name]
        spec = EXPERIMENT.tables[name]
        return pd.DataFrame(columns=[*spec.schema.names, "job_id", "corpus", "data_seed", "encoder", "init_style"])


def test_runs_are_encoders_where_there_are_several_else_seeds_of_readouts():
    curves = depth_curves(SCORES).query("metric == 'accuracy'").set_index(["encoder", "readout", "depth"])
    own = curves.loc["pretrained", "new", 1]
    assert (own["mean"], own["runs"]) == (pytest.approx(0.15), 2)
    assert (own["ci_low"], own["ci_high"]) == pytest.approx(mean_interval([0.1, 0.2])[1:])
    # Encoder 0 has two readouts, whose mean is one run beside encoder 1's.
    random = curves.loc["random", "new", 1]
    assert (random["mean"], random["runs"]) == (pytest.approx(0.3), 2)
    assert random["ci_low"] == pytest.approx(mean_interval([0.2, 0.4])[1])
    lost = curves.loc["random", "new", 3]
    assert (lost["mean"], lost["nan"]) == (pytest.approx(0.1), 1)


def test_peaks_are_the_highest_accuracy_and_the_lowest_loss():
    found = peaks(depth_curves(SCORES), nominal=2).set_index(["encoder", "readout", "metric"])
    assert found.loc[("pretrained", "new", "accuracy"), "best_depth"] == 2
    assert found.loc[("pretrained", "zero_shot", "loss"), "best_depth"] == 2
    assert found.loc[("random", "new", "loss"), "best_depth"] == 1
    assert set(found["nominal_depth"]) == {2}
    assert peaks(depth_curves(SCORES), None)["nominal_depth"].isna().to_numpy().all()


@pytest.mark.parametrize(
    ("model", "depth"),
    [("albert/albert-large-v2", 24), ("albert-base-v2", 12), ("/data/albert-xxlarge-v2/", 12), ("mine", None)],
)
def test_nominal_depths(model, depth):
    assert nominal_depth(dataclasses.replace(PRESETS["paper"], model=model)) == depth


def test_the_figure_names_axes_lines_and_guesses():
    guesses = pd.DataFrame({"metric": ["guess_accuracy", "unigram_perplexity"], "value": [0.05, 300.0]})
    figure = depth_figure(depth_curves(SCORES), guesses, 2)
    left, right = figure.axes
    assert left.get_xlabel() == right.get_xlabel() == "layers"
    assert left.get_ylabel() == "accuracy (share of masked tokens)"
    assert right.get_yscale() == "log"
    labels = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {
        "pretrained, new readout",
        "pretrained, zero-shot readout",
        "random, new readout",
        "nominal depth",
    } <= labels
    assert {"guessing: most frequent token", "guessing: token frequencies"} <= labels


def test_a_summary_counts_what_is_nan():
    summary = summarise(Rows(scores=SCORES), PRESETS["quick"])
    assert summary.tables["depth_curves"]["nan"].sum() == 3
    assert any(note.startswith("3 of 54 scores are NaN") for note in summary.notes)
    assert "mlm_by_depth" in summary.figures
    assert "peaks" not in summarise(Rows(scores=SCORES.assign(value=np.nan)), PRESETS["quick"]).tables
