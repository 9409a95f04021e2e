"""The stage `layernorm_spread` on tiny encoders: what its rows are about, and what they depend on."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from models.any_encoder import hidden_states
from orchestrator.experiment import Context
from tasks.transfer.diagnostics.inputs import open_network, open_sentences
from tasks.transfer.layernorm_lipschitz.spread import spread
from tasks.transfer.layernorm_lipschitz.stages import TABLES, SpreadParams
from tests.tasks.transfer.diagnostics.made_tokens import LENGTHS, NETWORK, write_tokens

PARAMS = SpreadParams(
    **NETWORK,
    dtype="float64",
    seed=1,
    max_length=16,
    batches=9,
    batch_size=3,
)


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    return Context(needs={"tokens": write_tokens(tmp_path_factory.mktemp("t") / "made", "acceptability")})


def frames(params, context):
    tables = spread(params, context)
    for name, rows in tables.items():
        assert all(set(row) == set(TABLES[name].schema.names) for row in rows)
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}


def value(rows, **chosen):
    keep = np.logical_and.reduce([rows[name] == wanted for name, wanted in chosen.items()])
    (found,) = rows.loc[keep, "value"]
    return found


def test_rows_hold_what_enters_each_layer_norm(context):
    found = frames(PARAMS, context)
    rows = found["sites"]
    assert not rows.duplicated(list(TABLES["sites"].key)).any()
    kinds = rows[["layer", "place", "kind"]].drop_duplicates().to_numpy().tolist()
    assert kinds[1:] == [[1, 1, "attention"], [1, 2, "ffn"], [2, 1, "attention"], [2, 2, "ffn"]]
    # By hand: the second LayerNorm of layer 2 gives the last level.
    sentences = open_sentences(PARAMS, context, 1)
    model = open_network(PARAMS, context, sentences)
    norm, entered = model.get_submodule("encoder.layer.1.output.LayerNorm"), []
    norm.register_forward_pre_hook(lambda module, given: entered.append(given[0]))
    inverse = []
    with torch.no_grad():
        for batch in sentences.batches(9, 3):
            hidden_states(model, *batch.inputs)
            v = entered.pop()[batch.attention_mask.bool()]
            inverse.append((v.var(-1, correction=0) + norm.eps).rsqrt())
    expected = torch.cat(inverse)
    last = {"layer": 2, "kind": "ffn", "positions": "valid"}
    assert len(expected) == sum(LENGTHS)
    assert value(rows, **last, metric="mean_inverse_sigma") == pytest.approx(float(expected.mean()), rel=1e-12)
    assert value(rows, **last, metric="sd_inverse_sigma") == pytest.approx(float(expected.std()), rel=1e-9)
    assert value(rows, **last, metric="max_inverse_sigma") == pytest.approx(float(expected.max()), rel=1e-12)
    assert value(rows, **last, metric="mean_gain") == pytest.approx(float(expected.mean()), rel=1e-12)  # gamma is 1
    counts = found["histogram"].groupby(["site", "positions"])["count"].sum()
    assert set(counts.xs("valid", level="positions")) == {sum(LENGTHS)}
    cost = found["costs"].iloc[0]
    assert (cost["n_batches"], cost["n_sentences"], cost["n_sites"]) == (3, 7, 5)  # the last batch has one sentence
    assert (cost["n_tokens"], cost["layer_passes"]) == (sum(LENGTHS), 2 * 7 + 2)


def test_published_padding_changes_the_mean_of_all_positions_alone(context):
    plain, padded = (frames(dataclasses.replace(PARAMS, legacy_padding=on), context) for on in (False, True))
    assert padded["costs"]["n_positions"].tolist() == [7 * 16]
    both = plain["sites"].merge(padded["sites"], on=["site", "positions", "metric"])
    off = (both["value_x"] - both["value_y"]).abs()
    assert off[both["positions"] == "valid"].max() < 1e-9
    assert off[(both["positions"] == "all") & (both["metric"] == "mean_inverse_sigma")].min() > 1e-6


def test_batch_sizes_change_no_mean(context):
    one, all_at_once = (frames(dataclasses.replace(PARAMS, batch_size=size), context)["sites"] for size in (1, 7))
    valid = one["positions"] == "valid"
    np.testing.assert_allclose(one.loc[valid, "value"], all_at_once.loc[valid, "value"], rtol=1e-9)


def test_gains_of_a_checkpoint_count(context, monkeypatch):
    plain = frames(PARAMS, context)["sites"]

    def scaled(*given, **named):
        model = open_network(*given, **named)
        with torch.no_grad():
            model.get_parameter("encoder.layer.1.output.LayerNorm.weight").copy_(torch.linspace(-3, 1, 16))
        return model

    monkeypatch.setattr("tasks.transfer.layernorm_lipschitz.spread.open_network", scaled)
    rows, last = frames(PARAMS, context)["sites"], {"layer": 2, "kind": "ffn", "positions": "valid"}
    inverse = value(rows, **last, metric="mean_inverse_sigma")
    assert inverse == pytest.approx(value(plain, **last, metric="mean_inverse_sigma"), rel=1e-12)
    assert value(rows, **last, metric="mean_bound") == pytest.approx(3 * inverse)
    mean = float(torch.linspace(-3, 1, 16).abs().mean())
    assert value(rows, **last, metric="mean_gain") == pytest.approx(mean * inverse)
    assert value(rows, **last, metric="max_gain") == pytest.approx(3 * value(rows, **last, metric="max_inverse_sigma"))


def test_published_dropout_widens_the_first_input_and_is_repeatable(context):
    legacy = dataclasses.replace(PARAMS, legacy_dropout=True)
    torch.manual_seed(0)
    first = frames(legacy, context)["sites"]
    torch.manual_seed(1)
    pd.testing.assert_frame_equal(first, frames(legacy, context)["sites"])
    where = {"layer": 1, "kind": "attention", "positions": "valid", "metric": "mean_inverse_sigma"}
    plain = value(frames(PARAMS, context)["sites"], **where)
    assert plain == pytest.approx(1, abs=0.03)  # the residual is a LayerNorm's output, what is added is small
    assert value(first, **where) < plain - 0.01


def test_values_that_are_not_finite_are_counted(context, monkeypatch):
    def broken(*given, **named):
        model = open_network(*given, **named)
        with torch.no_grad():
            model.get_parameter("encoder.layer.1.output.dense.bias")[0] = torch.nan
        return model

    monkeypatch.setattr("tasks.transfer.layernorm_lipschitz.spread.open_network", broken)
    found = frames(PARAMS, context)
    assert found["costs"]["n_not_finite"].tolist() == [sum(LENGTHS)]
    means = found["sites"].query("metric == 'mean_inverse_sigma' and positions == 'valid'")
    assert means["value"].isna().tolist() == [False, False, False, False, True]


def test_bad_parameters():
    for name in ("batches", "batch_size"):
        with pytest.raises(ValueError, match=f"{name.replace('_', '-')} is 0: give at least 1"):
            dataclasses.replace(PARAMS, **{name: 0})
