"""`sequence_copying` through the command line in one process: a sweep, and one with more seeds."""

# pandas says that any comparison of its objects may be a Series, so this rule says nothing here:
# pyright: reportGeneralTypeIssues=false

from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import tasks
from orchestrator.cli import main

TINY = [
    *("--experiment", "sequence_copying", "--preset", "quick", "--backend", "inline"),
    *("--settings", "permutation-4", "repeat-3", "--length", "4", "--hidden", "8", "--batch", "4", "--steps", "11"),
    *("--seeds-together", "2", "--evaluation-sequences", "5"),
]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(tasks.EXPERIMENTS, "sequence_copying", "tasks.attention.sequence_copying")


def test_more_seeds_later_train_only_what_is_new(tmp_path, monkeypatch, capsys):
    reduce = import_module("tasks.attention.sequence_copying.reduce")
    monkeypatch.setattr(reduce, "draw", lambda *_: {})  # figures are most of a tiny sweep's time
    assert main([*TINY, "--seeds", "0-2", "--out", str(tmp_path)]) == 0
    before = pd.read_parquet(tmp_path / "sequence_copying" / "copying.parquet")
    key = ["kind", "symbols", "seed", "step"]
    assert not before.duplicated(key).to_numpy().any()
    assert len(before) == 2 * 3 * 2
    capsys.readouterr()
    assert main([*TINY, "--seeds", "0-4", "--out", str(tmp_path)]) == 0
    # Of each setting the block 0, 1 is there; 2 becomes 2, 3, and 4 is new.
    assert "4 jobs to run, 2 already there" in capsys.readouterr().out
    after = pd.read_parquet(tmp_path / "sequence_copying" / "copying.parquet")
    assert not after.duplicated(key).to_numpy().any()
    assert len(after) == 2 * 5 * 2
    both = before.merge(after, on=key, suffixes=("", "_after"))
    assert len(both) == len(before)
    np.testing.assert_allclose(both["loss"], both["loss_after"], rtol=1e-5)
    bags = pd.read_parquet(tmp_path / "sequence_copying" / "summary" / "bags.parquet")
    assert bags["setting"].tolist() == ["permutation-4", "repeat-3"]


def test_options_that_do_not_go_together_are_one_line(tmp_path, capsys):
    assert main([*TINY, "--length", "5", "--out", str(tmp_path)]) == 2
    assert "length is 5: give 4 with permutation-4" in capsys.readouterr().err
    assert not (tmp_path / "sequence_copying").exists()
