"""`layernorm_lipschitz` through the command line in one process: plan, stages, store, reduce and figures together."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import tasks
from orchestrator.cli import main
from orchestrator.plan import make_plan
from tasks.transfer.layernorm_lipschitz import EXPERIMENT
from tasks.transfer.layernorm_lipschitz.config import PRESETS, Config
from tasks.transfer.layernorm_lipschitz.plan import plan
from tasks.transfer.layernorm_lipschitz.reduce import summarise
from tests.fake_results import FakeResults

TINY = [
    *("--experiment", "layernorm_lipschitz", "--preset", "quick", "--backend", "inline", "--width", "16"),
    *("--heads", "2", "--embedding", "8", "--intermediate", "32", "--pretrain-steps", "3", "--batches", "2"),
    *("--tasks", "acceptability", "--seeds", "0-1", "--shifts", "7", "--batch-size", "4", "--legacy-padding"),
]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(tasks.EXPERIMENTS, "layernorm_lipschitz", "tasks.transfer.layernorm_lipschitz")


@pytest.mark.slow
def test_a_sweep_ends_in_figures(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    place = tmp_path / "layernorm_lipschitz"
    rows = pd.read_parquet(place / "sites.parquet")
    assert rows.groupby(["encoder", "seed"]).size().to_dict() == {
        (name, seed): 5 * 2 * 9 for name in ("pretrained", "random") for seed in (0, 1)
    }
    assert np.isfinite(rows["value"]).all()
    drawn = {path.stem for path in (place / "figures").glob("*.png")}
    assert drawn == {"inverse_sigma-shift_7", "inverse_sigma_published-shift_7", "gain-shift_7"}
    assert (place / "report.html").stat().st_size > 1000


def job_rows(job, scale):
    """Made rows of one job: two layers, the second with twice the value."""
    site = {"name": "norm", "place": 1, "kind": "ffn", "positions": "valid"}
    metrics = ("mean_inverse_sigma", "sd_inverse_sigma", "mean_gain", "mean_bound")
    sites = [
        {"site": n, "layer": n, **site, "metric": metric, "value": scale * n} for n in (1, 2) for metric in metrics
    ]
    counts = {"n_batches": 1, "n_sentences": 2, "n_tokens": 6, "n_positions": 8, "n_sites": 2, "n_not_finite": 3}
    return {"sites": sites, "costs": [{**counts, "layer_passes": 4, "encoder_seconds": 0.5}]}


def test_means_are_over_seeds_and_what_is_missing_is_said():
    config = dataclasses.replace(PRESETS["quick"], tasks=("acceptability",), shifts=(0,))
    jobs = [job for job in make_plan(plan(config)).jobs.values() if job.stage.name == "layernorm_spread"]
    by = {(job.params.encoder, job.params.seed): job for job in jobs}
    done = [(by["pretrained", s], job_rows(by["pretrained", s], 1.0 + s)) for s in (0, 1)]
    done += [(by["random", s], job_rows(by["random", s], 0.5)) for s in (0, 1, 2)]
    found = summarise(FakeResults(EXPERIMENT.tables, done), config)
    beside = found.tables["pretrained_vs_random"].query("metric == 'mean_gain'").sort_values("layer")
    assert beside["mean_pretrained"].tolist() == pytest.approx([1.5, 3.0])
    assert beside["difference"].tolist() == pytest.approx([1.0, 2.0])
    costs = found.tables["costs"]
    assert (costs["jobs"].sum(), costs["n_not_finite"].sum()) == (5, 15)
    assert "1 of 6 networks on tasks are missing." in found.notes
    assert set(found.figures) == {"inverse_sigma-shift_0", "gain-shift_0"}
    axis = found.figures["inverse_sigma-shift_0"].axes[0]
    assert axis.get_ylim()[0] == 0
    assert axis.get_ylim()[1] > 3


def test_presets():
    paper, legacy = PRESETS["paper"], PRESETS["legacy"]
    assert (paper.batches, paper.batch_size, paper.max_length, paper.legacy_padding) == (201, 32, 128, False)
    assert (legacy.legacy_padding, legacy.legacy_dropout, legacy.shifts) == (True, True, (1000,))
    with pytest.raises(ValueError, match="batches is 0"):
        Config(batches=0)
