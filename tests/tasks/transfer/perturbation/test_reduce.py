"""Tables, figures and sentences of `perturbation` from rows."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from orchestrator.experiment import Job
from tasks.transfer.perturbation import EXPERIMENT
from tasks.transfer.perturbation.config import PRESETS
from tasks.transfer.perturbation.plan import plan
from tasks.transfer.perturbation.reduce import summarise
from tests.fake_results import FakeResults

QUICK = dataclasses.replace(
    PRESETS["quick"], noises=("absolute", "relative"), tasks=("acceptability", "similarity"), shifts=(0,)
)
SENTENCES = 12


def rows_of(job, gain: float) -> dict[str, list[dict]]:
    """Distances that saturate at 16, in proportion to the noise where it is small."""
    gains = gain * np.exp(0.1 * np.random.default_rng(job.params.seed).standard_normal(SENTENCES))
    sentences = [{"batch": i // 10, "sentence": i} for i in range(SENTENCES)]
    distances = [
        {"noise": noise, "std": std, "precision": "float64" if std <= 1e-6 else "float32", **sentence, "distance": d}
        for noise in job.params.noises
        for std in job.params.stds
        for sentence, d in zip(sentences, (16 * np.tanh(gains * std / 16)).tolist(), strict=True)
    ]
    cost = {
        "sentences": SENTENCES, "batches_read": 2, "hidden": 128, "parameters": 1000, "clean_passes": 4,
        "noisy_passes": 16, "layer_passes": 800, "noise_seconds": 0.1, "encoder_seconds": 1.0,
    }  # fmt: skip
    return {"distances": distances, "floors": [{**s, "distance": 2e-6} for s in sentences], "costs": [cost]}


def results(change=lambda rows: rows, keep=lambda job: True) -> FakeResults:
    jobs = [job for job in plan(QUICK) if job.stage.name == "perturbation" and keep(job)]
    made: list[tuple[Job, Any]] = [
        (job, change(rows_of(job, 300.0 if job.params.encoder == "random" else 3000.0))) for job in jobs
    ]
    return FakeResults({**EXPERIMENT.tables}, made)


@pytest.fixture
def undrawn(monkeypatch):
    """Figures take most of the time."""
    monkeypatch.setattr("tasks.transfer.perturbation.reduce.draw", lambda *given: {})


@pytest.mark.usefixtures("undrawn")
def test_tables_say_quartiles_slopes_and_ratios():
    summary = summarise(results(), QUICK)
    assert set(summary.tables) == {"levels", "pretrained_vs_random", "slopes", "floors", "costs"}
    table = summary.tables["levels"]
    line = table.query("task == 'similarity' and encoder == 'random' and noise == 'absolute'")
    small = line[line["std"] == 1e-8].set_index("metric")
    assert small.loc["median", "mean"] == pytest.approx(3e-6, rel=0.1)
    assert small.loc["q1", "mean"] < small.loc["median", "mean"] < small.loc["q3", "mean"]
    assert set(line["bound"]) == {16.0}
    assert set(line["seeds"]) == {3}
    ratio = summary.tables["pretrained_vs_random"].query("std == 1e-8")["ratio"]
    assert ratio.to_numpy() == pytest.approx(10)
    slopes = summary.tables["slopes"].query("encoder == 'pretrained'")
    assert slopes.query("std_low == 1e-8")["mean"].to_numpy() == pytest.approx(1, abs=1e-6)
    assert slopes.query("std_high == 1e-2")["mean"].to_numpy().max() < 0.95
    assert summary.tables["floors"]["mean"].to_numpy() == pytest.approx(2e-6)
    assert set(table["not_finite"]) == {0}


def test_figures_show_every_level_kind_task_and_shift():
    figures = summarise(results(), QUICK).figures
    assert set(figures) == {"distance-small", "amplification"}
    axes = figures["distance-small"].axes
    assert len(axes) == 2 * 2
    assert all(axis.get_yscale() == "log" for axis in axes)
    assert all(len(axis.patches) == 2 * 4 for axis in axes)
    assert [text.get_text() for text in axes[-1].get_xticklabels()] == ["0.01", "0.0001", "1e-06", "1e-08"]
    heights = [float(np.asarray(line.get_ydata())[0]) for line in axes[0].lines if line.get_color() == "#666666"]
    assert heights == pytest.approx([2e-6, 16.0])
    assert len(figures["amplification"].axes) == 2 * 2


@pytest.mark.usefixtures("undrawn")
def test_zeros_and_nan_are_left_out_and_counted():
    def spoilt(rows):
        for row in rows["distances"]:
            if row["sentence"] == 0:
                row["distance"] = np.nan
            if row["sentence"] == 1 and row["std"] == 1e-8:
                row["distance"] = 0.0
        return rows

    summary = summarise(results(spoilt), QUICK)
    # A sentence is counted in each of a line's three seeds.
    assert set(summary.tables["levels"]["not_finite"]) == {3}
    slopes = summary.tables["slopes"].query("std_low == 1e-8")
    assert set(slopes["not_finite"]) == {6}
    assert slopes.query("encoder == 'random'")["mean"].to_numpy() == pytest.approx(1, abs=1e-6)


def test_a_part_of_a_sweep_is_no_error():
    half = summarise(results(keep=lambda job: job.params.encoder == "random"), QUICK)
    assert "6 of 12 networks on tasks are missing." in half.notes
    assert "pretrained_vs_random" not in half.tables
    assert set(half.figures) == {"distance-small", "amplification"}

    def lost(rows):
        return {**rows, "floors": [], "distances": [{**row, "distance": np.nan} for row in rows["distances"]]}

    assert "levels" in summarise(results(lost), QUICK).tables
