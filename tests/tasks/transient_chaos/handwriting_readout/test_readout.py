"""The stage on small random encoders: against passes of its own and NumPy, in groups, and with states that break.

Dimensions: N examples, L layers, H hidden.
"""

import itertools
import json
from typing import Any

import numpy as np
import pytest
import torch

from models.albert import embed, iterate, padding_mask, shared_layer
from orchestrator.experiment import Context
from tasks.data.tokenised import TokenisedSplit
from tasks.transient_chaos.handwriting_readout import readout, states
from tasks.transient_chaos.handwriting_readout.letters import STROKES, stroke_curve
from tasks.transient_chaos.handwriting_readout.stages import HandwritingParams
from tasks.transient_chaos.handwriting_readout.states import open_inputs, start_groups
from tests.tasks.transient_chaos.handwriting_readout import published

T = 10


def split(n, seed, classes=False) -> TokenisedSplit:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(4, T + 1, n)
    ids = [np.concatenate([[2], rng.integers(5, 50, k - 2), [3]]) for k in lengths]
    labels = rng.integers(0, 2, n) if classes else np.round(rng.uniform(0, 5, n), 1)
    if not classes:
        labels[:2] = 0, 5
    return TokenisedSplit(
        input_ids=np.concatenate(ids).astype(np.int32),
        token_type_ids=np.concatenate([np.repeat([0, 1], [k // 2, k - k // 2]) for k in lengths]).astype(np.int8),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=labels,
    )


SPLITS = {"train": split(90, 0), "dev": split(30, 1)}


@pytest.fixture
def context(tmp_path, monkeypatch):
    meta = {"task": "STS-B", "vocab_size": 50, "pad_token_id": 0, "max_length": T}
    (tmp_path / "meta.json").write_text(json.dumps(meta))
    monkeypatch.setattr(states, "open_split", lambda _, name: SPLITS[name])
    return Context(needs={"tokens": tmp_path})


def params(**options) -> HandwritingParams:
    given: dict[str, Any] = {
        "model": "scratch",
        "encoder": "random",
        "init_style": "hf_default",
        "encoder_seed": 3,
        "init_range": 0.16,
        "width": 16,
        "heads": 2,
        "embedding": 8,
        "intermediate": 32,
        "tokenizer": "t",
        "dtype": "float64",
        "task": "STS-B",
        "max_length": T,
        "steps": 12,
        "starts": (0, 1, 4),
        "lengths": (1, 3, 6),
        "best_from": 3,
        **options,
    }
    return HandwritingParams(**given)


def all_states(given, context, name):
    """[N, L, H]: the first token's states of a whole split in one batch."""
    _, _, tokens = open_inputs(given, context)
    pad_to = T if given.mask_mode == "none" else None
    ids, types, attended = SPLITS[name].batch(np.arange(len(SPLITS[name])), pad_to=pad_to)
    found = []
    with torch.no_grad():
        h = embed(tokens.model, ids, types)
        mask = padding_mask(tokens.model, attended, h) if given.mask_mode == "padding" else None
        iterate(shared_layer(tokens.model), h, given.steps, mask, [lambda t, h: found.append(h[:, 0])])
    return torch.stack(found, dim=1).numpy()


def rows_at(rows, start, length):
    return [row for row in rows if (row["start"], row["length"]) == (start, length)]


@pytest.mark.parametrize("mask_mode", ["none", "padding"])
@pytest.mark.parametrize("write_mode", ["velocity", "position"])
def test_windows_samples_and_drawings_are_those_of_the_definition(context, mask_mode, write_mode):
    given = params(mask_mode=mask_mode, write_mode=write_mode, drawn_starts=(1, 4), drawn_lengths=(3, 6))
    tables = readout.handwriting(given, context)
    train, dev = (all_states(given, context, name) for name in ("train", "dev"))
    shares = {name: SPLITS[name].labels / 5 for name in SPLITS}
    assert len(tables["windows"]) == 9
    for start, length in ((1, 3), (1, 6), (4, 3), (4, 6)):
        u, s = (published.curve(stroke, length, write_mode) for stroke in STROKES)
        solution, errors = published.readout(train, dev, shares["train"], shares["dev"], u, s, start, start + length)
        [row] = rows_at(tables["windows"], start, length)
        assert row["error_mean"] == pytest.approx(errors.mean(), rel=1e-5)
        assert row["error_median"] == pytest.approx(np.median(errors), rel=1e-5)
        assert row["error_sd"] == pytest.approx(errors.std(ddof=1), rel=1e-5)
        assert (row["samples"], row["undefined"], row["rows"], row["features"]) == (30, 0, 90 * length, 17)
        own = rows_at(tables["samples"], start, length)
        np.testing.assert_allclose([r["error"] for r in own], errors, rtol=1e-5)
        for sample in {r["sample"] for r in rows_at(tables["drawings"], start, length)}:
            points = [r for r in rows_at(tables["drawings"], start, length) if r["sample"] == sample]
            x = np.concatenate([dev[sample, start : start + length], np.ones((length, 1))], axis=1)
            np.testing.assert_allclose([[r["x"], r["y"]] for r in points], x @ solution, atol=1e-5)
            share = shares["dev"][sample]
            assert share in (0, 1)
            aim = stroke_curve(STROKES[int(share)], length, write_mode)
            np.testing.assert_allclose([[r["target_x"], r["target_y"]] for r in points], aim)
    best = min((r for r in tables["windows"] if r["length"] >= 3), key=lambda r: r["error_mean"])
    assert {(r["start"], r["length"]) for r in tables["samples"] if r["best"]} == {(best["start"], best["length"])}


def test_a_layernorms_output_has_one_constant_direction(context):
    rows = readout.handwriting(params(dtype="float32"), context)["windows"]
    assert {(row["rank"], row["solver"]) for row in rows if row["start"]} == {(16, "deflated")}
    [first] = rows_at(rows, 0, 1)
    assert (first["rank"], first["solver"]) == (1, "eigen")  # the first token's embedding is the same everywhere
    assert first["error_mean"] == pytest.approx(first["error_blind"], rel=1e-6)


@pytest.mark.parametrize("mask_mode", ["none", "padding"])
def test_groups_of_starts_give_the_same_numbers(context, monkeypatch, mask_mode):
    given = params(mask_mode=mask_mode, dtype="float32", drawn_starts=(0,), drawn_lengths=(1,))
    whole = readout.handwriting(given, context)
    layer = 8 * 16 * 16 + 4 * states.BLOCK_SEQUENCES * 16
    monkeypatch.setattr(readout, "usable_bytes", lambda _: 7 * layer + 20000)
    parts = readout.handwriting(given, context)
    assert (whole["costs"][0]["groups"], parts["costs"][0]["groups"]) == (1, 2)
    for name in ("windows", "samples", "drawings", "faults"):
        assert parts[name] == whole[name]
    assert parts["costs"][0]["layer_passes"] > whole["costs"][0]["layer_passes"]


def test_thresholds_use_the_extremes_alone(context):
    tables = readout.handwriting(params(threshold_low=1.0, threshold_high=4.0), context)
    dev = SPLITS["dev"].labels
    kept = np.flatnonzero((dev <= 1) | (dev >= 4)).tolist()
    own = [row for row in tables["samples"] if row["best"]]
    assert [row["sample"] for row in own] == kept
    assert [row["share"] for row in own] == [float(dev[i] >= 4) for i in kept]
    assert tables["costs"][0]["n_dev"] == len(kept)


def breaking(monkeypatch, at):
    """Make the states of some sentences not finite: {number of the batch: {row: first layer}}."""
    plain, batch = states.iterate, [0]

    def iterate(layer, h, steps, mask, observers):
        batch[0] += 1
        layers = itertools.count(1)

        def faulty(h, mask):
            t = next(layers)
            h = layer(h, mask).clone()
            for row, first in at.get(batch[0], {}).items():
                if t >= first:
                    h[row] = float("nan") if row % 2 else float("inf")
            return h

        return plain(faulty, h, steps, mask, observers)

    monkeypatch.setattr(states, "iterate", iterate)


def test_states_that_are_not_finite_are_recorded_and_left_out(context, monkeypatch):
    given = params()
    breaking(monkeypatch, {1: {3: 2, 8: 9}, 3: {4: 5}})  # batches of 64: two of train, then one of dev
    tables = readout.handwriting(given, context)
    faults = [(row["split"], row["sample"], row["layer"]) for row in tables["faults"]]
    assert faults == [("dev", 4, 5), ("train", 3, 2), ("train", 8, 9)]
    cost = tables["costs"][0]
    assert (cost["n_train"], cost["n_dev"], cost["left_out"]) == (88, 29, 3)
    assert {row["samples"] for row in tables["windows"]} == {29}
    assert {row["rows"] for row in tables["windows"]} == {88 * n for n in given.lengths}
    train, dev = (all_states(given, context, name) for name in ("train", "dev"))
    good = {"train": np.delete(np.arange(90), [3, 8]), "dev": np.delete(np.arange(30), 4)}
    u, s = (published.curve(stroke, 3, "velocity") for stroke in STROKES)
    shares = [SPLITS[name].labels[good[name]] / 5 for name in ("train", "dev")]
    _, errors = published.readout(train[good["train"]], dev[good["dev"]], shares[0], shares[1], u, s, 1, 4)
    [row] = rows_at(tables["windows"], 1, 3)
    assert row["error_mean"] == pytest.approx(errors.mean(), rel=1e-5)


def test_no_finite_state_is_an_error_that_names_sample_and_layer(context, monkeypatch):
    breaking(monkeypatch, {3: dict.fromkeys(range(30), 7)})
    with pytest.raises(ValueError, match=r"no example of dev has finite states: that of example 0 .* from layer 7 on"):
        readout.handwriting(params(), context)


def test_bad_input_is_named(context, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match='no "tokens"'):
        readout.handwriting(params(), Context())
    with pytest.raises(ValueError, match="holds tokens of STS-B, not MRPC"):
        readout.handwriting(params(task="MRPC"), context)
    with pytest.raises(ValueError, match="max_length is 5"):
        readout.handwriting(params(max_length=5), context)
    with pytest.raises(ValueError, match=r"take [\d,]+ bytes of 1,000 that may be used"):
        start_groups((0, 1), (1, 5), 16, 10, 4, 1000)
    for options, message in (
        ({"starts": (0, 9)}, "steps is 12: give at least 14"),
        ({"lengths": ()}, "lengths is empty"),
        ({"starts": (3, 3)}, "starts has 3 twice"),
        ({"threshold_low": 1.0}, "threshold-high is None"),
        ({"threshold_low": 3.0, "threshold_high": 4.0}, "threshold-low is 3.0: give at most 2.5"),
        ({"task": "QQP", "threshold_low": 1.0, "threshold_high": 4.0}, "classes have no scores"),
        ({"task": "QQP", "legacy_labels": True}, "task is 'QQP': give STS-B with legacy-labels"),
        ({"task": "MNLI"}, "3 classes"),
        ({"drawn_starts": (2,), "drawn_lengths": (3,)}, "drawn-starts is 2"),
    ):
        with pytest.raises(ValueError, match=message):
            params(**options)


def test_windows_in_another_order_are_the_same_work():
    assert params(starts=(4, 0, 1), lengths=(6, 1, 3)) == params()
