"""One pass through small networks: rows, theory against measurement, padding, memory, bad input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.deep_bert_signals import pass_bytes
from orchestrator.experiment import Context
from tasks.deepscale.pretraining_text.batches import MicroBatch
from tasks.deepscale.signal_propagation.reduce import numbers
from tasks.deepscale.signal_propagation.signals import batch_shares, signals
from tasks.deepscale.signal_propagation.stages import DepthRuleParams, SignalParams
from tasks.deepscale.signal_propagation.theory import depth_rule
from tests.propagation_laws import pre_norm_slope

TINY = SignalParams(
    norm="pre",
    scheme="dslm",
    layers=3,
    width=16,
    heads=2,
    source="zipf",
    vocab_size=50,
    length=12,
    batch=2,
    seed=0,
    branch_k=0.96,
)


def curves(params: SignalParams, context: Context | None = None) -> dict[str, dict[str, np.ndarray]]:
    """Measured and theory by quantity, in the order of layers."""
    rows = signals(params, context or Context())["layers"]
    names = dict.fromkeys(row["quantity"] for row in rows)
    return {
        form: {name: np.array([row[form] for row in rows if row["quantity"] == name], dtype=float) for name in names}
        for form in ("measured", "theory", "theory_free", "theory_published")
    }


def mean_over_seeds(params: SignalParams, seeds: int) -> dict[str, dict[str, np.ndarray]]:
    runs = [curves(replace(params, seed=seed)) for seed in range(seeds)]
    return {form: {name: np.mean([run[form][name] for run in runs], 0) for name in runs[0][form]} for form in runs[0]}


def test_every_layer_and_quantity_is_one_row_and_the_theory_begins_and_ends_where_measured():
    tables = signals(TINY, Context())
    keys = [(row["layer"], row["quantity"]) for row in tables["layers"]]
    assert len(set(keys)) == len(keys) == 4 * 4 + 8 * 3
    assert all(type(value) in (int, float, str, bool) for value in tables["runs"][0].values())
    rows = {(row["layer"], row["quantity"]): row for row in tables["layers"]}
    for layer, quantity in (
        (0, "variance"),
        (0, "correlation"),
        (3, "gradient_variance"),
        (3, "gradient_correlation"),
        (3, "weight_profile"),
    ):
        row = rows[layer, quantity]
        assert row["theory"] == pytest.approx(row["measured"], rel=1e-12)
    assert rows[1, "weight_norm_qk"]["theory"] is None
    parts = [rows[2, f"weight_norm_{name}"]["measured"] for name in ("qk", "v", "out", "up", "down")]
    assert rows[2, "weight_norm"]["measured"] == pytest.approx(np.linalg.norm(parts), rel=1e-12)
    clip = min(1.0, 1 / tables["runs"][0]["total_norm"])
    assert rows[2, "published_norm"]["measured"] == pytest.approx(
        0.001**0.5 * clip * rows[2, "weight_norm"]["measured"], rel=1e-12
    )


def test_the_same_parameters_give_the_same_numbers_also_when_layers_are_recomputed():
    config_bytes = pass_bytes_of(TINY)
    whole = signals(TINY, Context())
    again = signals(TINY, Context())
    # usable_bytes is half of the memory: between what recomputing takes and what keeping takes.
    tight = signals(TINY, Context(memory_bytes=2 * (config_bytes[False] - 1)))
    assert (whole["runs"][0]["recomputed"], tight["runs"][0]["recomputed"]) == (False, True)
    assert whole["layers"] == again["layers"] == tight["layers"]


def pass_bytes_of(params: SignalParams) -> dict[bool, int]:
    from tasks.deepscale.deep_bert.building import config_of

    assert params.vocab_size is not None
    config = config_of(params, params.vocab_size, params.length)
    # One masked piece of nine words a sequence is the least and two are the most: the bound has room for either.
    found = {}
    for recompute in (False, True):
        found[recompute] = pass_bytes(config, params.batch, params.length, 0, recompute)
    assert found[True] < found[False]
    return found


def test_a_pass_that_does_not_fit_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match=r"of 500 that may be used; give a smaller --batch or --length"):
        signals(TINY, Context(memory_bytes=1000))


def test_shares_of_a_batch_leave_padding_out():
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    batch = MicroBatch(
        input_ids=torch.tensor([[5, 5, 6, 5], [7, 7, 0, 0]]),
        token_type_ids=torch.tensor([[0, 0, 1, 1], [0, 1, 0, 0]]),
        mask=mask,
        positions=torch.tensor([1]),
        labels=torch.tensor([5]),
        order=torch.tensor([0, 1]),
        index=0,
        n_tokens=6,
    )
    shares = batch_shares(batch)
    assert shares.same_token == pytest.approx((6 + 2) / (12 + 2))
    assert shares.same_segment == pytest.approx(4 / 14)
    assert shares.tokens_a_sequence == pytest.approx((16 + 4) / 6)


SMALL = replace(TINY, layers=24, width=64, heads=4, vocab_size=500, length=64, batch=4)
DEEPER = replace(SMALL, layers=48, width=96, vocab_size=1000)


@pytest.mark.parametrize("setting", [SMALL, pytest.param(DEEPER, marks=pytest.mark.slow)])
def test_xavier_pre_norm_grows_by_the_closed_slope_and_gradients_fall_as_told(setting):
    found = mean_over_seeds(replace(setting, scheme="xavier"), 6 if setting is SMALL else 3)
    measured, theory = found["measured"], found["theory"]
    A, F = 2 / (1 + 1 / 4), 2 / 5 * 8 / 5
    slope, _ = pre_norm_slope(A, F, 0.1)
    got = numbers(*(measured[name] for name in ("variance", "weight_profile", "gradient_variance")))
    # The mean of S networks scatters by sqrt(2/H/S) in V: 7 % for six of width 64, 8 % for three of width 96.
    assert got["variance_slope"] == pytest.approx(slope, rel=0.2)
    assert got["norm_exponent"] == pytest.approx(-0.52, abs=0.08)
    assert np.median(np.abs(measured["variance"] / theory["variance"] - 1)) < 0.12
    # The first layers' scores have a variance above 2, past the leading orders of the theory.
    assert np.median(np.abs(measured["correlation"] - theory["correlation"])[8:]) < 0.02
    assert np.median(np.abs(measured["gradient_correlation"] - theory["gradient_correlation"])) < 0.03
    # The published gradient of attention says that tokens' gradients come together at the bottom.
    bottom = {form: values["gradient_correlation"][1] for form, values in found.items()}
    assert abs(bottom["measured"] - bottom["theory"]) < 0.5 * abs(bottom["measured"] - bottom["theory_published"])


@pytest.mark.parametrize("setting", [SMALL, pytest.param(DEEPER, marks=pytest.mark.slow)])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_dslm_keeps_variance_and_weight_gradients_level(norm, setting):
    found = mean_over_seeds(replace(setting, norm=norm), 6 if setting is SMALL else 3)
    measured = found["measured"]
    assert (np.abs(measured["variance"] - 1) < (0.2 if norm == "pre" else 0.1)).all()
    # A network's correlation scatters by about 0.08 at width 64 in the middle of the way from 0.2 to 0.65.
    bound = 0.08 if setting is SMALL else 0.06
    assert np.median(np.abs(measured["correlation"] - found["theory_free"]["correlation"])) < bound
    profile = measured["weight_norm"] / measured["weight_norm"].mean()
    assert (np.abs(profile - 1) < 0.25).all()
    assert measured["gradient_variance"][0] / measured["gradient_variance"][-1] == pytest.approx(0.45, abs=0.25)


@pytest.mark.slow
def test_192_layers_of_width_128():
    deep = replace(SMALL, layers=192, width=128, length=32)
    xavier = mean_over_seeds(replace(deep, scheme="xavier"), 1)
    got = numbers(*(xavier["measured"][name] for name in ("variance", "weight_profile", "gradient_variance")))
    assert got["norm_exponent"] == pytest.approx(-0.5, abs=0.06)
    assert np.median(np.abs(xavier["measured"]["correlation"] - xavier["theory"]["correlation"])) < 0.015
    post = mean_over_seeds(replace(deep, scheme="xavier", norm="post"), 2)
    # Four networks of width 256 have 1.014 to 1.032; narrower ones scatter more.
    factor = numbers(*(post["measured"][name] for name in ("variance", "weight_profile", "gradient_variance")))
    assert 1.005 < factor["norm_factor"] < 1.035
    middle = slice(60, 130)
    assert np.median(post["measured"]["gradient_correlation"][middle]) == pytest.approx(
        np.median(post["theory"]["gradient_correlation"][middle]), abs=0.04
    )
    dslm = mean_over_seeds(deep, 1)["measured"]
    assert 0.8 < dslm["variance"].min() <= dslm["variance"].max() < 1.2


def test_the_rule_of_depth_has_a_row_a_point_and_leaves_out_what_cannot_be():
    params = DepthRuleParams(
        layers=6,
        width=16,
        heads=2,
        tokens=256,
        ks=(0.5, 0.9),
        alphas=(0.0, 1.0),
        dropouts=(0.0, 0.1),
        correlations=(0.2,),
        top_correlations=(0.0, 0.5),
    )
    rows = depth_rule(params, Context())["depth_rule"]
    assert len(rows) == 2 * 2 * 2 * 2 * 2
    assert sorted({row["branch_sq"] for row in rows if row["alpha"] == 1}) == pytest.approx([0.5 / 6, 0.15])
    assert all(0.9 < row["var_max"] < 1.3 for row in rows)
    outside = depth_rule(replace(params, ks=(2.0,), alphas=(0.0,)), Context())["depth_rule"]
    assert outside == []


def test_bad_parameters():
    with pytest.raises(ValueError, match="vocab-size is None: give the number of random tokens"):
        replace(TINY, vocab_size=None)
    with pytest.raises(ValueError, match="source is 'words'"):
        replace(TINY, source="words")
    with pytest.raises(ValueError, match="length is 5: give at least 8"):
        replace(TINY, length=5)
