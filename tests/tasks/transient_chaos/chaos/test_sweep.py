"""The pass that measures everything, on the tiny ALBERT of the parity fixtures."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

import tasks.transient_chaos.chaos.inputs as stage_inputs
from models.albert import embed, iterate, padding_mask, shared_layer
from tasks.transient_chaos.chaos.long import read_last
from tasks.transient_chaos.chaos.sweep import sweep
from tests.parity.tiny_albert import HERE, tiny_albert
from tests.tasks.transient_chaos.chaos.tiny_chaos import save_tiny, sweep_params, tiny_context, write_sentences

SYNC = np.load(HERE / "sync_cut.npz")
ED = np.load(HERE / "effective_dimension_cut.npz")
TOKENS = tuple(SYNC[name] for name in ("input_ids", "token_type_ids", "attention_mask"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def sentences(tmp_path_factory):
    return write_sentences(tmp_path_factory.mktemp("data") / "sentences", *TOKENS)


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame(rows)


@pytest.mark.parametrize("mask_mode", ["none", "padding"])
def test_spreads_and_offsets_are_the_published_ones(model, sentences, mask_mode):
    params = sweep_params(
        model, steps=300, exponents=0, mask_mode=mask_mode, spread_tokens="all", shown_sentences=4,
        thresholds=tuple(SYNC["thresholds"].tolist()), attention_layers=(),
    )  # fmt: skip
    tables = sweep(params, tiny_context(model, sentences))
    spreads = frame(tables["spreads"]).query("statistic == 'spread'")
    found = spreads.pivot_table(index="layer", columns="sentence", values="value").to_numpy()
    suffix = "nomask" if mask_mode == "none" else "mask"
    published = SYNC[f"A_std_{suffix}"]
    assert np.abs(found[: len(published)] - published).max() < 1e-12
    offsets = frame(tables["offsets"]).query("statistic == 'spread'")
    for rule in ("first", "persistent"):
        own = offsets[offsets["rule"] == rule]
        layers = own["layers"].where(~own["censored"], -1)
        expected = SYNC[f"A_offset_{rule}_{suffix}"]
        for q, threshold in enumerate(params.thresholds):
            assert layers[own["threshold"] == threshold].tolist() == expected[q].tolist()


def test_effective_dimension_is_the_published_one(model, tmp_path):
    ids, types = ED["input_ids"], ED["token_type_ids"]
    data = write_sentences(tmp_path / "sentences", ids, types, np.ones_like(ids))
    params = sweep_params(model, sentences=len(ids), steps=60, exponents=0, attention_layers=())
    layers = frame(sweep(params, tiny_context(model, data))["layers"])
    found = layers.query("metric == 'effective_dimension'").sort_values("layer")["value"].to_numpy()
    assert np.abs(found / ED["A_ed_centred_svd"] - 1).max() < 1e-10
    first = layers.query("metric == 'effective_dimension_first'").sort_values("layer")["value"].to_numpy()
    assert np.isnan(first[0])  # the first token's embedding is the same in all sentences
    assert (first[1:] >= 1).all()


def test_tangents_are_exact_and_change_no_state(model, sentences):
    """The growth of one tangent against a copy that is very near; states with and without tangents, to the last bit."""
    with_tangents = sweep_params(model, exponents=2, difference_size=1e-7)
    tables = sweep(with_tangents, tiny_context(model, sentences))
    windows = frame(tables["windows"]).query("exponent == 1 and phase == 'random'")
    wide = windows.pivot_table(index=["sentence", "start"], columns="method", values="growth")
    assert len(wide) == 4 * 4
    assert (wide["tangent"] - wide["difference"]).abs().max() < 1e-6
    without = sweep(dataclasses.replace(with_tangents, exponents=0), tiny_context(model, sentences))
    assert tables["offsets"] == without["offsets"]
    assert frame(tables["trajectories"]).equals(frame(without["trajectories"]))
    assert not without["spectrum"]


def test_windows_and_spectrum_are_sums_of_one_record(model, sentences):
    params = sweep_params(model, steps=40, window=10, align=20, qr_every=5, exponents=3)
    tables = sweep(params, tiny_context(model, sentences))
    windows = frame(tables["windows"]).query("phase == 'aligned'")
    mean = windows.groupby(["sentence", "exponent"])["growth"].mean()
    end = frame(tables["spectrum"]).query("layers == 20").set_index(["sentence", "exponent"])["growth"]
    assert (mean - end).abs().max() < 1e-14
    assert sorted(frame(tables["spectrum"])["layers"].unique()) == [5, 10, 20]
    # How often the tangents are orthonormalised does not matter.
    rare = sweep(dataclasses.replace(params, qr_every=10), tiny_context(model, sentences))
    other = frame(rare["windows"]).query("phase == 'aligned'")
    assert (windows["growth"].to_numpy() - other["growth"].to_numpy()).max() < 1e-12


def test_a_seed_changes_the_tangents_alone_and_repeats_itself(model, sentences):
    first, again, other = (
        sweep(sweep_params(model, steps=20, seed=seed), tiny_context(model, sentences)) for seed in (0, 0, 1)
    )
    for name in first.keys() - {"costs"}:
        assert frame(first[name]).equals(frame(again[name])), name
    assert (frame(first["windows"])["growth"] != frame(other["windows"])["growth"]).all()
    assert frame(first["spreads"]).equals(frame(other["spreads"]))


def test_only_the_first_sentences_have_the_whole_spectrum(model, tmp_path, monkeypatch):
    monkeypatch.setattr(stage_inputs, "BATCH_SENTENCES", 2)
    data = write_sentences(tmp_path / "sentences", *TOKENS)
    params = sweep_params(model, exponents=3, spectrum_sentences=1, shown_sentences=1)
    tables = sweep(params, tiny_context(model, data))
    counts = frame(tables["spectrum"]).groupby("sentence")["exponent"].nunique()
    assert counts.to_dict() == {0: 3, 1: 3, 2: 1, 3: 1}
    assert tables["costs"][0]["tangent_passes"] == params.steps * (2 * 3 + 2 * 1)


def test_groups_of_tangents_give_the_same_rows(model, sentences, monkeypatch):
    monkeypatch.setattr(stage_inputs, "BATCH_SENTENCES", 2)
    params = sweep_params(model, exponents=3, spectrum_sentences=4, shown_sentences=2)
    together = sweep(params, tiny_context(model, sentences))
    monkeypatch.setattr(stage_inputs, "frame_numbers", lambda *_: 0)
    held = 8 * (2 * 4 * 8 * 32) + 8 * (2 * 16 + 2 * 4 * 32) + 8 * 41 * 4 * 3
    apart = sweep(params, tiny_context(model, sentences, memory_bytes=2 * (held + 2 * 3 * 8 * 32 * 8)))
    assert (together["costs"][0]["tangent_groups"], apart["costs"][0]["tangent_groups"]) == (1, 2)
    assert apart["costs"][0]["layer_passes"] == params.steps * (4 + 2)
    for name in together.keys() - {"costs"}:
        assert frame(together[name]).equals(frame(apart[name])), name
    with pytest.raises(ValueError, match="fewer --sentences"):
        sweep(params, tiny_context(model, sentences, memory_bytes=2 * held - 2))


def test_permuted_sentences_give_permuted_rows(model, sentences, tmp_path):
    order = [2, 0, 3, 1]
    turned = write_sentences(tmp_path / "turned", *(x[order] for x in TOKENS))
    params = sweep_params(model, exponents=0, shown_sentences=4, attention_layers=(1, 5))
    for name, value in (("spreads", "value"), ("attention", "probability")):
        a = frame(sweep(params, tiny_context(model, sentences))[name])
        b = frame(sweep(params, tiny_context(model, turned))[name])
        b["sentence"] = b["sentence"].map(lambda s: order[s])
        keys = [c for c in a.columns if c != value]
        both = a.merge(b, on=keys)
        assert len(both) == len(a)
        assert (both[f"{value}_x"] - both[f"{value}_y"]).abs().max() < 1e-13


def test_a_lost_sentence_is_recorded_and_the_others_go_on(sentences, tmp_path):
    """A word whose embedding is NaN: its sentence is lost at layer 0, the rows of the others are what they were."""
    only = next(i for i in TOKENS[0][1] if all(i not in TOKENS[0][s] for s in (0, 2, 3)))

    def spoil(model):
        with torch.no_grad():
            model.embeddings.word_embeddings.weight[int(only)] = torch.nan

    good, bad = save_tiny(tmp_path / "good"), save_tiny(tmp_path / "bad", spoil)
    change = {"shown_sentences": 1, "steps": 60, "difference_size": 1e-3}
    whole = sweep(sweep_params(good, **change), tiny_context(good, sentences))
    (tmp_path / "last").mkdir()
    broken = sweep(sweep_params(bad, **change), tiny_context(bad, sentences, artifact=tmp_path / "last"))
    assert broken["lost"] == [{"sentence": 1, "layer": 0, "reason": "NaN"}]
    for name in ("windows", "spectrum", "chaos_lengths", "offsets"):
        a, b = (frame(tables[name]).query("sentence != 1") for tables in (whole, broken))
        assert a.equals(b), name
    lost = frame(broken["windows"]).query("sentence == 1")
    assert lost["growth"].isna().all()
    never = frame(broken["offsets"]).query("sentence == 1")
    assert never["censored"].all()
    assert set(never["layers"]) == {0}
    by_metric = {metric: group["value"] for metric, group in frame(broken["layers"]).groupby("metric")}
    assert set(by_metric["sentences"]) == {3.0}
    assert by_metric["effective_dimension"].notna().all()
    last = read_last(tmp_path / "last")
    assert torch.isnan(last.spread_N).tolist() == [False, True, False, False]


def test_the_artifact_is_the_mean_of_the_last_tokens(model, sentences, tmp_path):
    (tmp_path / "last").mkdir()
    params = sweep_params(model, mask_mode="padding", steps=12, window=10, exponents=1)
    sweep(params, tiny_context(model, sentences, artifact=tmp_path / "last"))
    encoder = tiny_albert()
    ids, types, mask = (torch.tensor(x) for x in TOKENS)
    with torch.no_grad():
        h = embed(encoder, ids, types)
        h = iterate(shared_layer(encoder), h, 12, padding_mask(encoder, mask, h))
    expected = torch.stack([h[s, mask[s] == 1].mean(0) for s in range(4)])
    last = read_last(tmp_path / "last")
    assert (last.mean_NH - expected).abs().max() < 1e-12
    assert (last.layers, last.vocab_size, last.pad_token_id) == (12, 50, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"exponents": 8 * 32 + 1}, "more than the"),
        ({"exponents": int(TOKENS[2].sum(1).min()) * 32 + 1, "mask_mode": "padding"}, "dimensions of sentence"),
        ({"shown_tokens": (8,)}, "shown_tokens asks for 8, but there are 8 tokens"),
        ({"shown_dimensions": (32,)}, "32 hidden dimensions"),
        ({"attention_heads": (4,)}, "4 heads"),
        ({"sentences": 5}, "holds 4 sentences of 8 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(model, sentences, change, message):
    with pytest.raises(ValueError, match=message):
        sweep(sweep_params(model, **change), tiny_context(model, sentences))


def test_sentences_beyond_the_positions_are_refused(model, tmp_path):
    ids = np.full((2, 80), 5)
    data = write_sentences(tmp_path / "long", ids, 0 * ids, np.ones_like(ids))
    with pytest.raises(ValueError, match="the longest example has 80 tokens, tiny has 64 positions"):
        sweep(sweep_params(model, sentences=2, length=80), tiny_context(model, data))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 12}, "multiple of qr-every"),
        ({"align": 3}, "multiple of qr-every"),
        ({"difference_size": 1e-3, "dtype": "float32"}, "rounding"),
        ({"difference_size": -1.0}, "difference-size is -1.0: give more than 0"),
        ({"thresholds": (0.0,)}, "thresholds"),
        ({"shown_sentences": 17}, "at most 16"),
        ({"attention_layers": (0,)}, "attention-layers is 0: give at least 1"),
    ],
)
def test_parameters_are_checked(model, change, message):
    with pytest.raises(ValueError, match=message):
        sweep_params(model, **change)
