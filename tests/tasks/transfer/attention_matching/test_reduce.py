"""Lines over seeds, savings against shuffled heads, figures and sentences."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from metrics.intervals import mean_interval
from orchestrator.experiment import Job
from tasks.analysis.panels import of
from tasks.transfer.attention_matching import EXPERIMENT
from tasks.transfer.attention_matching.config import PRESETS
from tasks.transfer.attention_matching.matching import Work
from tasks.transfer.attention_matching.reduce import closeness, one_seed, savings, summarise
from tasks.transfer.attention_matching.stages import MATCHING
from tasks.transfer.comparison.reporting import named
from tasks.transfer.comparison.sides import protein_batches
from tests.fake_results import FakeResults
from tests.tasks.transfer.attention_matching.conftest import planted

COST = {"n_proteins": 7, "n_tokens": 62, "longest": 14, "batch_size": 3, "layer_passes": 28, "map_bytes": 1 << 20}
COST |= {"encoder_seconds": 2.0, "matching_seconds": 1.0, "sum_bytes": 800, "not_finite": 0}


@pytest.fixture(scope="module")
def done(params, context):
    """Jobs and rows of the pairs pretrained-plus and random-plus (two seeds), of sides with planted maps: the heads of
    the pretrained one are PLUS's, permuted; those of the random ones have nothing in common with them."""
    plus = planted(2, 3, seed=9)
    sides = {
        None: planted(2, 3, seed=8, like=plus, perm=np.array([1, 2, 0])),
        0: planted(2, 3, seed=1),
        1: planted(2, 3, seed=2),
    }
    found = []
    for seed, side in sides.items():
        change = {"first": "random" if seed is not None else "pretrained", "encoder_seed": seed}
        # A checkpoint, whose sizes are its own.
        change |= {"model": "mine", **dict.fromkeys(("architecture", "layers", "width", "heads", "intermediate"))}
        one = dataclasses.replace(params, **change)
        work = Work(params=one, first=side, second=plus)
        tables = {**work.run(protein_batches(one, context, 3)), "costs": [COST]}
        found.append((Job(stage=MATCHING, params=one), tables))
    return found


def results(rows):
    return FakeResults(EXPERIMENT.tables, rows)


CONFIG = dataclasses.replace(PRESETS["quick"], pairs=("pretrained-plus", "random-plus"), encoder_seeds=(0, 1))


def test_savings_and_closeness_are_means_over_layers_then_seeds(done):
    layers = named(results(done).table("layers"))
    saved = savings(layers)
    assert len(saved) == 3 * 2 * 2 * 3  # jobs, tokens, layers, metrics
    table = closeness(pd.concat([layers, saved])).set_index(["pair", "tokens", "metric"])
    own = table.loc[("pretrained-plus", "all", "saved_crossfit")]
    assert own["mean"] > 0.3
    assert own["seeds"] == 1
    assert np.isnan(own["low"])
    rows = saved.query("pair == 'random-plus' and tokens == 'all' and metric == 'saved_crossfit'")
    by_seed = rows.groupby("encoder_seed")["value"].mean().tolist()
    expected = mean_interval(by_seed)
    twin = table.loc[("random-plus", "all", "saved_crossfit")]
    assert (twin["mean"], twin["low"], twin["high"]) == pytest.approx(expected)
    assert twin["mean"] < 0.1
    # Of the best matching for each protein something is saved by any two encoders.
    assert table.loc[("random-plus", "all", "saved_matched")]["mean"] > 0.02


def test_the_summary_says_which_encoder_is_closer_to_plus(done):
    summary = summarise(results(done), CONFIG)
    assert set(summary.figures) == {"matched_cost-mine_builtin", "matched_heads-mine_builtin"}
    assert any("heads correspond more to PLUS's than a random twin's do" in note for note in summary.notes)
    assert summary.tables["costs"][["layer_passes", "not_finite"]].sum().tolist() == [84, 0]
    partners = summary.tables["partners"].query("pair == 'pretrained-plus' and tokens == 'all' and layer == 1")
    assert partners["head_first"].tolist() != partners["head_second"].tolist()
    assert (partners["share"] == 1).all()
    cost = summary.figures["matched_cost-mine_builtin"]
    assert [axis.get_title() for axis in cost.axes[:3]] == [
        "pretrained and PLUS",
        "random and PLUS",
        "saved by the other half",
    ]
    assert cost.axes[0].get_ylabel() == "L1 cost a query token,\nall tokens"
    heads = summary.figures["matched_heads-mine_builtin"]
    assert [axis.get_title() for axis in heads.axes[:4]] == ["layer 1", "layer 2"] * 2
    shown = np.asarray(heads.axes[0].images[0].get_array())
    np.testing.assert_array_equal(shown, np.eye(3))  # columns in the order of the one matching


def test_published_totals_and_units_are_named_in_the_legacy_form(done):
    bug = {"tokens": "all", "layer": 1, "layer_first": 1, "layer_second": 1, "metric": "bug_mean", "value": 43.0}
    job, tables = done[0]
    rows = [(job, {**tables, "layers": [*tables["layers"], {**bug, "n_proteins": 7}]})]
    summary = summarise(results(rows), dataclasses.replace(CONFIG, legacy_padding=True, legacy_totals=True))
    assert of(summary.tables["by_layer"], metric="bug_mean")["mean"].tolist() == [43.0]
    label = summary.figures["matched_cost-mine_builtin"].axes[0].get_ylabel()
    assert label == "L1 cost over all rows, padding too,\nall tokens"


def test_only_one_random_encoder_is_drawn(done):
    heads = one_seed(named(results(done).table("heads")))
    assert heads.groupby("pair")["encoder_seed"].unique().map(list).to_dict() == {
        "pretrained-plus": [-1],
        "random-plus": [0],
    }


def test_values_that_are_not_finite_are_counted(done):
    dead = []
    for job, tables in done:
        nan = {name: [{**row, "value": np.nan} for row in tables[name]] for name in ("matches", "layers")}
        heads = [{**row, "share": np.nan, "cost": np.nan, "in_matching": False} for row in tables["heads"]]
        dead.append((job, {**nan, "heads": heads, "costs": [{**COST, "not_finite": 28}]}))
    summary = summarise(results(dead), CONFIG)
    assert summary.tables["costs"]["not_finite"].sum() == 84
    assert set(summary.figures) == {"matched_cost-mine_builtin", "matched_heads-mine_builtin"}
    assert summary.tables["by_layer"]["mean"].isna().all()
    assert (summary.tables["by_layer"]["not_finite"] > 0).all()


def test_pairs_are_one_column_and_missing_seeds_are_no_nan():
    rows = pd.DataFrame({"first": ["pretrained"], "second": ["plus"], "encoder_seed": [None], "plus_seed": [3.0]})
    found = named(rows)
    assert found[["pair", "encoder_seed", "plus_seed"]].to_numpy().tolist() == [["pretrained-plus", -1, 3]]
