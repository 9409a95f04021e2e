"""Tables, figures and sentences of `gradient_confusion` from rows."""

import dataclasses
import itertools

import numpy as np
import pytest

from metrics.gradient_similarity import pair_statistics
from tasks.transfer.gradient_confusion import EXPERIMENT
from tasks.transfer.gradient_confusion.config import PRESETS
from tasks.transfer.gradient_confusion.plan import plan
from tasks.transfer.gradient_confusion.reduce import distribution, summarise
from tests.fake_results import FakeResults

N = 4
QUICK = dataclasses.replace(PRESETS["quick"], tasks=("acceptability", "similarity"))


def rows_of(values: np.ndarray) -> dict[str, list[dict]]:
    """What the stage would write of these cosines [Q]."""
    together = list(itertools.combinations(range(N), 2))
    bad = int((~np.isfinite(values)).sum())
    return {
        "pairs": [
            {"i": i, "j": j, "metric": metric, "value": float(v)}
            for metric in ("cosine", "dot", "l2")
            for (i, j), v in zip(together, values, strict=True)
        ],
        "gradients": [{"batch": b, "loss": 0.7, "norm": 2.0 + b} for b in range(N)],
        "similarity": [
            {"metric": name, "value": s.value, "error": s.error, "pairs": len(values), "not_finite": bad}
            for name, s in pair_statistics(values, N).items()
        ],
        "costs": [
            {
                "gradients": N, "parameters": 100, "kept": 90, "in_file": False, "block_bytes": 50, "peak_bytes": 1440,
                "tokens": 64, "layer_passes": 24, "encoder_seconds": 1.0, "gram_seconds": 0.1,
            }
        ],
    }  # fmt: skip


def results(values, keep=lambda job: True) -> FakeResults:
    jobs = [job for job in plan(QUICK) if job.stage.name == "gradient_confusion" and keep(job)]
    return FakeResults({**EXPERIMENT.tables}, [(job, rows_of(values(job))) for job in jobs])


def made(job) -> np.ndarray:
    """Pretrained gradients are alike, random ones are not; a regression's are equal."""
    rng = np.random.default_rng(job.params.seed)
    if job.params.task == "similarity":
        return np.full(6, 0.99)
    if job.params.encoder == "random":
        return np.array([-0.9, 0.8, -0.7, 0.9, 0.5, -0.5]) + 0.01 * rng.standard_normal(6)
    return np.array([0.1, 0.3, 0.2, -0.2, 0.5, 0.4]) + 0.01 * rng.standard_normal(6)


def test_tables_and_notes_say_pretrained_beside_random():
    summary = summarise(results(made), QUICK)
    assert set(summary.tables) == {"similarity_over_seeds", "pretrained_vs_random", "gradients", "costs"}
    assert set(summary.figures) == {"cosine_boxes", "confusion"}
    beside = summary.tables["pretrained_vs_random"].query("task == 'acceptability' and shift == 0").set_index("metric")
    assert beside.loc["min", "mean_pretrained"] == pytest.approx(-0.2, abs=0.02)
    assert beside.loc["negative_share", "mean_random"] == pytest.approx(0.5)
    table = summary.tables["similarity_over_seeds"]
    assert set(table["seeds"]) == {3}
    # The interval is over seeds; the error within a seed stands beside it.
    mean = table.query("metric == 'mean' and encoder == 'random' and task == 'acceptability'").iloc[0]
    assert mean["within_error"] > 0.1 > mean["high"] - mean["low"]
    assert set(table["not_finite"]) == {0}
    notes = " ".join(summary.notes)
    assert "small, acceptability, ordinary text: minimum cosine -0.2" in notes
    assert "missing" not in notes


def test_figures_show_every_task_shift_and_encoder():
    figures = summarise(results(made), QUICK).figures
    boxes = figures["cosine_boxes"].axes
    assert [axis.get_title() for axis in boxes] == ["small, ordinary text", "small, tokens shifted by 1000"]
    assert [text.get_text() for text in boxes[0].get_xticklabels()] == ["acceptability", "similarity"]
    assert len(boxes[0].patches) == 4
    # Whiskers end at the minimum and the maximum.
    ends = {float(y) for line in boxes[0].lines for y in np.asarray(line.get_ydata())}
    assert min(ends) == pytest.approx(-0.9, abs=0.03)
    curves = figures["confusion"].axes
    assert len(curves) == 2
    assert len([line for line in curves[0].lines if line.get_linewidth() > 1]) == 4


def test_what_is_missing_or_not_finite_is_said_and_left_out():
    def spoilt(job):
        values = made(job)
        if job.params.encoder == "random":
            values[:3] = np.nan
        return values

    half = summarise(results(spoilt, lambda job: job.params.encoder == "random"), QUICK)
    assert "12 of 24 networks on tasks are missing." in half.notes
    assert half.tables["costs"]["jobs"].sum() == 12
    means = half.tables["similarity_over_seeds"].query("metric == 'mean' and task == 'acceptability'")["mean"]
    assert means.to_numpy() == pytest.approx(0.3, abs=0.02)  # of the three that are finite
    assert "pretrained_vs_random" not in half.tables
    nothing = summarise(results(lambda job: np.full(6, np.nan)), QUICK)
    assert not nothing.figures


def test_the_distribution_counts_values_up_to_x():
    x = np.array([-1.0, 0.0, 0.5, 1.0])
    found = distribution(np.array([0.5, -0.5, np.nan, 0.9, -1.0]), x)
    assert found is not None
    assert found.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert distribution(np.array([np.nan]), x) is None
