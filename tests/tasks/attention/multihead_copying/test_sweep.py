"""`multihead_copying` through the command line in one process."""

# pandas says that any comparison of its objects may be a Series, so these rules say nothing here:
# pyright: reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

from importlib import import_module

import pandas as pd
import pytest

import tasks
from orchestrator.cli import main

TINY = [
    *("--experiment", "multihead_copying", "--preset", "quick", "--backend", "inline"),
    *("--setting", "permutation-4", "--length", "4", "--hidden", "8", "--batch", "4", "--steps", "11"),
    *("--evaluation-sequences", "5", "--heads-together", "2", "--lanes", "1", "--wanted", "2", "--good-above", "0.34"),
    *("--bad-below", "0.34"),
]


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(tasks.EXPERIMENTS, "multihead_copying", "tasks.attention.multihead_copying")


def read(out, table):
    return pd.read_parquet(out / "multihead_copying" / f"{table}.parquet")


def test_heads_are_screened_until_there_are_enough_and_then_combined(tmp_path, monkeypatch):
    reduce = import_module("tasks.attention.multihead_copying.reduce")
    monkeypatch.setattr(reduce, "draw", lambda *_: {})  # figures are most of a tiny sweep's time
    assert main([*TINY, "--candidates", "8", "--out", str(tmp_path)]) == 0
    blocks = read(tmp_path, "head_blocks").sort_values("first_head")
    heads = read(tmp_path, "heads")
    assert not heads.duplicated(["head", "data_seed"]).to_numpy().any()
    assert sorted(heads["head"].unique()) == [
        head for first in blocks.loc[blocks["needed"], "first_head"] for head in (first, first + 1)
    ]
    # With one lane every block knows of all before it, so it is needed just where these hold too few.
    known = heads.drop_duplicates("head")
    for row in blocks.itertuples():
        before = known[known["head"] < row.first_head]["verdict"]
        assert (row.good_before, row.bad_before) == ((before == "good").sum(), (before == "bad").sum())
        assert row.needed == (min(row.good_before, row.bad_before) < 2)
    assert not blocks["needed"].all()
    stock = read(tmp_path, "combination_blocks").set_index("combined")
    assert stock["enough"].all()
    curves = read(tmp_path, "combinations")
    assert not curves.duplicated(["combined", "combination", "step"]).to_numpy().any()
    assert curves.groupby("combined").size().to_dict() == dict.fromkeys(("bad", "good", "random"), 4 * 2)
    attention = read(tmp_path, "attention")
    verdict = known.set_index("head")["verdict"]
    for kind, place, wanted in (("bad", 0, "bad"), ("bad", 1, "bad"), ("good", 0, "bad"), ("good", 1, "good")):
        used = attention[(attention["combined"] == kind) & (attention["place"] == place)]["head"]
        assert set(verdict[used]) == {wanted}


def test_options_that_do_not_go_together_are_one_line(tmp_path, capsys):
    assert main([*TINY, "--wanted", "1", "--out", str(tmp_path)]) == 2
    assert "wanted is 1: give at least --size, 2" in capsys.readouterr().err
