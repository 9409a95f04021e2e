"""`attention_matching` through the command line in one process: the stages, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tests.research_data import research_data

TINY = [
    *("--experiment", "attention_matching", "--preset", "quick", "--backend", "inline"),
    *("--width", "16", "--heads", "2", "--embedding", "8", "--intermediate", "32", "--pretrain-steps", "5"),
    *("--plus-width", "12", "--plus-heads", "3", "--plus-intermediate", "24", "--plus-layers", "2"),
    *("--plus-steps", "3", "--encoder-seeds", "0-1", "--proteins", "9"),
]


def read(out, table):
    return pd.read_parquet(out / "attention_matching" / f"{table}.parquet")


def test_a_sweep_of_all_pairs_and_what_is_asked_for_later(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.transfer.attention_matching.figures.draw", lambda by_layer, heads, unit: {})
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    layers = read(tmp_path, "layers")
    key = ["first", "second", "encoder_seed", "tokens", "layer", "metric"]
    assert not layers.duplicated(key).to_numpy().any()
    assert layers["job_id"].nunique() == 1 + 2 + 2
    assert np.isfinite(layers["value"]).all()
    assert set(read(tmp_path, "costs")["layer_passes"]) == {4 * 9}
    assert (tmp_path / "attention_matching" / "summary" / "closeness.parquet").stat().st_size > 500
    # The pretrained encoder has no seed; twins have their own.
    assert layers.query("first == 'pretrained' and second == 'plus'")["encoder_seed"].isna().to_numpy().all()
    # One more twin: what was there stays as it was.
    assert main([*TINY, "--encoder-seeds", "0-2", "--pairs", "random-plus", "--out", str(tmp_path)]) == 0
    after = read(tmp_path, "layers")
    assert set(after.query("first == 'random'")["encoder_seed"]) == {0, 1, 2}
    both = layers.merge(after, on=key, suffixes=("", "_after"))
    assert len(both) == len(layers)
    np.testing.assert_array_equal(both["value"], both["value_after"])


@pytest.mark.slow
@pytest.mark.real_data
def test_real_proteins_cost_less_than_2_and_more_than_nothing(tmp_path):
    folder = research_data("protein", "fluorescence").parent
    arguments = [*TINY, "--data-dir", str(folder), "--protein-tasks", "fluorescence", "--max-length", "32"]
    assert main([*arguments, "--pairs", "random-plus", "--out", str(tmp_path)]) == 0
    costs = read(tmp_path, "matches").query("metric == 'matched'")["value"]
    assert costs.between(0.001, 2).to_numpy().all()
    for name in ("report.html", "figures/matched_cost-small_fluorescence.png"):
        assert (tmp_path / "attention_matching" / name).stat().st_size > 500
