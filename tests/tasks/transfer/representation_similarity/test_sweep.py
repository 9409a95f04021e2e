"""`representation_similarity` through the command line in one process: the stages, the store and reduce together."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main

TINY = [
    *("--experiment", "representation_similarity", "--preset", "quick", "--backend", "inline"),
    *("--width", "16", "--heads", "2", "--embedding", "8", "--intermediate", "32", "--pretrain-steps", "4"),
    *("--plus-width", "12", "--plus-heads", "2", "--plus-intermediate", "24", "--plus-steps", "4"),
    *("--encoder-seeds", "0-1", "--proteins", "20", "--null-draws", "2"),
]
KEY = ["first", "second", "encoder_seed", "level_first", "level_second", "metric"]


@pytest.mark.slow
def test_every_pair_seed_level_and_metric_is_one_row(tmp_path):
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    out = tmp_path / "representation_similarity"
    rows = pd.read_parquet(out / "similarity.parquet")
    assert not rows.duplicated(KEY).to_numpy().any()
    counts = rows.groupby(["first", "second"]).size().to_dict()
    assert counts == {("pretrained", "plus"): 54, ("pretrained", "random"): 2 * 54, ("random", "plus"): 2 * 54}
    assert np.isfinite(rows[["value", "null_mean", "shuffled"]].to_numpy()).all()
    assert np.logical_and(rows["value"] >= 0, rows["value"] <= 1 + 1e-9).all()
    assert len(set(rows["n_rows"])) == 1
    for name in ("report.html", "figures/last.png", "figures/maps-small-builtin.svg", "summary/levels.parquet"):
        assert (out / name).stat().st_size > 500
    # Another seed draws other nulls and leaves the values.
    assert main([*TINY, "--seed", "1", "--pairs", "random-plus", "--out", str(tmp_path)]) == 0
    after = pd.read_parquet(out / "similarity.parquet").query("seed == 1")
    both = rows.merge(after, on=KEY, suffixes=("", "_after"))
    assert len(both) == len(after) == 2 * 54
    np.testing.assert_array_equal(both["value"], both["value_after"])
    assert (both["null_mean"] != both["null_mean_after"]).to_numpy().any()
