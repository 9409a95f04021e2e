"""`dynamical_isometry` through the command line in one process: plan, stages, store, reduce and figures together."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import tasks
from orchestrator.cli import main
from orchestrator.plan import make_plan
from tasks.transfer.dynamical_isometry.config import PRESETS, Config
from tasks.transfer.dynamical_isometry.plan import plan
from tasks.transfer.dynamical_isometry.reduce import densities

TINY = [
    *("--experiment", "dynamical_isometry", "--preset", "quick", "--backend", "inline", "--width", "16"),
    *("--heads", "2", "--embedding", "8", "--intermediate", "32", "--pretrain-steps", "3", "--sentences", "2"),
    *(
        "--tasks",
        "acceptability",
        "--seeds",
        "0-1",
        "--shifts",
        "7",
        "--input-levels",
        "0-1",
        "--output-levels",
        "1-2",
        "--whole",
    ),
]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(tasks.EXPERIMENTS, "dynamical_isometry", "tasks.transfer.dynamical_isometry")


@pytest.mark.slow
def test_a_sweep_ends_in_figures(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    place = tmp_path / "dynamical_isometry"
    rows = pd.read_parquet(place / "spectra.parquet")
    # Two sentences, three pairs of levels, four kinds of one position and the whole.
    counts = rows.groupby(["encoder", "shift", "seed"]).size()
    assert counts.to_dict() == {(name, 7, seed): 2 * 3 * 5 for name in ("pretrained", "random") for seed in (0, 1)}
    drawn = {path.stem for path in (place / "figures").glob("*.png")}
    assert drawn == {
        "log_singular_values-shift_7-level_2_by_level_0",
        "published-shift_7-level_2_by_level_0",
        "levels-shift_7",
        "level_pairs-shift_7",
    }
    assert (place / "report.html").stat().st_size > 1000
    beside = pd.read_parquet(place / "summary" / "pretrained_vs_random.parquet")
    mean = beside.query("metric == 'mean_log' and kind == 'diagonal' and output_level == 2")
    own = rows.query("kind == 'diagonal' and output_level == 2 and encoder == 'random'")
    expected = own.groupby(["input_level", "seed"])["mean_log"].mean().groupby("input_level").mean()
    np.testing.assert_allclose(mean.sort_values("input_level")["mean_random"], expected, rtol=1e-12)
    artifacts = list((tmp_path / "artifacts" / "jacobian_spectra").rglob("singular_values-*.safetensors"))
    assert len(artifacts) == 4


def test_a_network_on_a_task_is_a_job():
    jobs = [job for job in make_plan(plan(PRESETS["quick"])).jobs.values() if job.stage.name == "jacobian_spectra"]
    assert len(jobs) == 3 * 2 * 3 * 2
    assert {job.passes for job in jobs} == {10 * (2 + 128 * 2)}  # a pass and 128 products back through both layers
    more = dataclasses.replace(PRESETS["quick"], sentences=11)
    ids = {job.id for job in jobs}
    assert not ids & set(make_plan(plan(more)).jobs)


def test_presets():
    paper, legacy = PRESETS["paper"], PRESETS["legacy"]
    assert (paper.sentences, paper.positions, paper.max_length, paper.shifts) == (200, 1, 128, (0, 1000))
    assert not paper.legacy_dropout
    assert (legacy.legacy_dropout, legacy.shifts) == (True, (0,))
    with pytest.raises(ValueError, match="position-share is 2: give more than 0 and at most 1"):
        Config(position_share=2)
    with pytest.raises(ValueError, match="input-levels is empty"):
        Config(input_levels=())
    with pytest.raises(ValueError, match="input-levels is 3: give one below an output level"):
        Config(input_levels=(3,), output_levels=(2, 3))


def test_densities_integrate_to_one_over_the_bounded_bins():
    lead = {"model": "m", "task": "t", "shift": 0, "encoder": "random", "input_level": 0, "output_level": 2}
    bins = [(-np.inf, -40.0, 5), (-0.2, -0.1, 3), (0.0, 0.1, 1)]
    rows = [
        {**lead, "kind": "diagonal", "seed": seed, "low": low, "high": high, "count": count}
        for seed in (0, 1)
        for low, high, count in bins
    ]
    found = densities(pd.DataFrame(rows))
    np.testing.assert_allclose(found["density"], [7.5, 2.5])
