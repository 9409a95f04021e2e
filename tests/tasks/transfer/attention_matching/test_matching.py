"""The stage: streamed rows are those of all costs at once, planted pairs are found, memory stays bounded."""

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from metrics.head_matching import bug_totals, head_costs, match_heads, shuffled_heads
from orchestrator.experiment import Context
from tasks.transfer.attention_matching.matching import Work, folds, layer_pairs, map_bytes, matching, padded
from tasks.transfer.attention_matching.stages import TABLES
from tasks.transfer.comparison.sides import open_here, open_pair, protein_batch, protein_batches
from tests.tasks.transfer.attention_matching.conftest import LENGTHS, planted, write_proteins


def rows_of(params, context, first, second, size=3):
    """The tables of two sides, as data frames."""
    work = Work(params=params, first=first, second=second)
    tables = work.run(protein_batches(params, context, size))
    return {name: pd.DataFrame(rows) for name, rows in tables.items()}, work


def of_layer(layers, layer, tokens="all"):
    """The values of one layer by metric."""
    rows = layers[(layers["layer"] == layer) & (layers["tokens"] == tokens)]
    return dict(zip(rows["metric"], rows["value"], strict=True))


def test_streamed_values_are_those_of_all_costs_at_once(params, context):
    first, second = planted(2, 4, seed=1), planted(2, 3, seed=2)
    batch = protein_batch(open_here(params, context), np.arange(len(LENGTHS)), params.max_length)
    halves = np.array(list(itertools.islice(folds(params.fold_seed), len(LENGTHS))))
    for size in (1, 3, 16):
        tables, work = rows_of(params, context, first, second, size)
        for layer, special in itertools.product((1, 2), (True, False)):
            maps = first.maps(batch)[layer - 1], second.maps(batch)[layer - 1]
            costs = head_costs(*maps, batch.lengths, special=special)
            assert costs.shape == (7, 3, 4)
            own, (mean, sd) = match_heads(costs), shuffled_heads(costs)
            found = of_layer(tables["layers"], layer, "all" if special else "residues")
            assert found["matched_mean"] == pytest.approx((own.total / 3).mean(), rel=1e-12)
            assert found["matched_sd"] == pytest.approx((own.total / 3).std(), rel=1e-10)
            assert found["unmatched_mean"] == pytest.approx(costs.mean(), rel=1e-12)
            assert found["shuffled_sd"] == pytest.approx(np.sqrt(np.mean((sd / 3) ** 2)), rel=1e-12)
            assert found["z_mean"] == pytest.approx(((own.total - mean) / sd).mean(), rel=1e-10)
            one = match_heads(costs.mean(0))
            assert found["one_matching"] == pytest.approx(one.total / 3, rel=1e-12)
            other = [match_heads(costs[halves != half].mean(0)) for half in (0, 1)]
            held_out = [costs[i, other[half].second, other[half].first].mean() for i, half in enumerate(halves)]
            assert found["crossfit"] == pytest.approx(np.mean(held_out), rel=1e-12)
            agreed = (own.first[:, :] == one.first).mean()
            assert found["agreement"] == pytest.approx(agreed, rel=1e-12)
        values = tables["matches"].query("tokens == 'all' and layer == 2 and metric == 'matched'")["value"]
        maps = first.maps(batch)[1], second.maps(batch)[1]
        expected = match_heads(head_costs(*maps, batch.lengths)).total / 3
        np.testing.assert_allclose(values, expected, rtol=1e-12)
        assert work.layer_passes == 4 * 7
    assert not tables["matches"].duplicated(["tokens", "layer", "protein", "metric"]).any()
    assert tables["matches"].query("protein == 1")["n_tokens"].unique().tolist() == [LENGTHS[1] + 2]


def test_planted_pairs_of_heads_are_found_and_hold_on_other_proteins(params, context):
    perm = np.array([2, 0, 3, 1])
    first = planted(2, 4, seed=1)
    tables, _ = rows_of(params, context, first, planted(2, 4, seed=2, like=first, perm=perm))
    pairs = tables["heads"].query("in_matching")
    for _, group in pairs.groupby(["tokens", "layer"]):
        assert group.sort_values("head_second")["head_first"].tolist() == perm.tolist()
        assert (group["share"] == 1).all()
    for layer in (1, 2):
        values = of_layer(tables["layers"], layer)
        assert values["agreement"] == 1
        assert values["crossfit"] == pytest.approx(values["one_matching"], rel=1e-12)
        assert values["crossfit"] == pytest.approx(values["matched_mean"], rel=1e-12)
        assert values["crossfit_z"] < -2.5  # of 4 heads; the best of 24 assignments cannot be much farther out


def test_heads_that_have_nothing_in_common_do_not_hold_on_other_proteins(params, tmp_path):
    context = Context(needs={"proteins": write_proteins(tmp_path / "many", lengths=(6, 8) * 40)})
    tables, _ = rows_of(params, context, planted(1, 4, seed=1), planted(1, 4, seed=2), size=16)
    values = of_layer(tables["layers"], 1)
    assert values["z_mean"] < -1  # the best of all matchings is below the null all the same
    gain = values["unmatched_mean"] - values["matched_mean"]
    assert abs(values["crossfit"] - values["unmatched_mean"]) < 0.2 * gain
    assert abs(values["crossfit_z"]) < 3


def test_an_encoder_costs_nothing_against_itself(params, context):
    side = planted(2, 3, seed=1)
    tables, _ = rows_of(params, context, side, side)
    assert (tables["matches"].query("metric == 'matched'")["value"] == 0).all()
    pairs = tables["heads"].query("in_matching")
    assert (pairs["head_first"] == pairs["head_second"]).all()
    assert (tables["matches"].query("metric == 'unmatched'")["value"] > 0.1).all()


def test_the_stage_compares_a_random_encoder_with_plus(params, context):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    tables = matching(params, context)
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, spec in TABLES.items():
        frame = pd.DataFrame(tables[name])
        assert sorted(frame.columns) == sorted(spec.schema.names)
        assert not frame.duplicated(list(spec.key)).any()
    matches, layers = pd.DataFrame(tables["matches"]), pd.DataFrame(tables["layers"])
    assert len(matches) == 2 * 2 * 7 * 4  # tokens, layers, proteins, metrics
    costs = matches[matches["metric"].isin(["matched", "unmatched"])]["value"]
    assert costs.between(0, 2).all()
    assert (matches.query("metric == 'z'")["value"] < 0).all()
    assert layers[["layer", "layer_first", "layer_second"]].drop_duplicates().to_numpy().tolist() == [
        [1, 1, 2],
        [2, 2, 3],
    ]
    (cost,) = tables["costs"]
    assert cost["layer_passes"] == (2 + 3) * 7
    assert (cost["n_tokens"], cost["longest"], cost["not_finite"]) == (sum(LENGTHS) + 14, 14, 0)
    # 2 heads against 3: pairs are as many as the fewer.
    heads = pd.DataFrame(tables["heads"])
    assert heads.groupby(["tokens", "layer"])["share"].sum().tolist() == pytest.approx([2] * 4)
    assert heads.groupby(["tokens", "layer"])["in_matching"].sum().tolist() == [2] * 4


def test_fewer_batches_for_less_memory_and_the_same_numbers(params, context):
    first, second = open_pair(params, context, attention="eager")
    one = map_bytes(params, first, second, T=14)
    whole = matching(params, context)
    for proteins, size in ((1, 1), (2.5, 2)):
        small = dataclasses.replace(context, memory_bytes=int(2 * proteins * one) + 2)
        tables = matching(params, small)
        assert tables["costs"][0]["batch_size"] == size
        assert tables["costs"][0]["map_bytes"] <= proteins * one
        for name in ("matches", "layers", "heads"):
            order = {"by": list(TABLES[name].key), "ignore_index": True}
            left, right = (pd.DataFrame(rows).sort_values(**order) for rows in (whole[name], tables[name]))
            pd.testing.assert_frame_equal(left, right, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=r"maps of one protein of 14 tokens take \d+ MiB, this job may use \d+ MiB"):
        matching(params, dataclasses.replace(context, memory_bytes=one))


def test_what_is_kept_between_batches_does_not_grow_with_the_proteins(params, context, tmp_path):
    more = Context(needs={"proteins": write_proteins(tmp_path / "more", lengths=LENGTHS * 5)})
    few, many = (matching(params, place)["costs"][0] for place in (context, more))
    assert many["n_proteins"] == 5 * few["n_proteins"]
    assert many["sum_bytes"] == few["sum_bytes"]
    assert many["layer_passes"] == 5 * few["layer_passes"]


def test_maps_that_are_not_finite_are_counted_and_leave_the_others_alone(params, context):
    first, second = planted(2, 3, seed=1), planted(2, 3, seed=2)

    def broken(batch):
        maps = [layer.clone() for layer in first.maps(batch)]
        maps[1][batch.proteins == 4] = torch.nan
        return tuple(maps)

    tables, work = rows_of(params, context, dataclasses.replace(first, maps=broken), second)
    good, _ = rows_of(params, context, first, second)
    lost = tables["matches"][tables["matches"]["value"].isna()]
    assert set(zip(lost["layer"], lost["protein"], strict=True)) == {(2, 4)}
    assert sum(sums.not_finite for sums in work.sums.values()) == 2  # with and without special tokens
    assert set(tables["layers"].query("layer == 2")["n_proteins"]) == {6}
    assert of_layer(tables["layers"], 1) == of_layer(good["layers"], 1)
    assert all(math.isfinite(value) for value in tables["layers"]["value"])


def test_without_any_finite_map_there_are_rows_and_no_crash(params, context):
    side = planted(1, 3, seed=1)
    dead = dataclasses.replace(side, maps=lambda batch: tuple(layer * torch.nan for layer in side.maps(batch)))
    tables, _ = rows_of(params, context, dead, side)
    assert tables["layers"]["value"].isna().all()
    assert not tables["heads"]["in_matching"].any()


def test_layers_meet_at_equal_depth():
    assert layer_pairs(3, 3) == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    assert layer_pairs(12, 24)[:2] == [(1, 1, 2), (2, 2, 4)]
    assert layer_pairs(24, 12)[-1] == (12, 24, 12)
    assert layer_pairs(6, 4) == [(1, 2, 1), (2, 3, 2), (3, 5, 3), (4, 6, 4)]


def test_halves_are_drawn_and_nearly_equal():
    drawn = list(itertools.islice(folds(0), 100))
    assert all(sum(pair) == 1 for pair in zip(drawn[::2], drawn[1::2], strict=True))
    assert drawn == list(itertools.islice(folds(0), 100)) != list(itertools.islice(folds(1), 100))
    assert 10 < sum(drawn[::2]) < 40


def test_published_padding_and_totals(params, context):
    legacy = dataclasses.replace(params, legacy_padding=True, legacy_totals=True)
    first, second = planted(2, 3, seed=1), planted(2, 3, seed=2)
    for size in (2, 16):
        tables, _ = rows_of(legacy, context, first, second, size)
        assert set(tables["matches"]["tokens"]) == {"all"}
        tokens = protein_batch(open_here(params, context), np.arange(7), params.max_length)
        batch = padded(tokens, params.max_length)
        assert batch.mask.shape == batch.tokens.shape == (7, 16)
        assert (batch.tokens[:, 14:] == 0).all()
        costs = head_costs(first.maps(batch)[1], second.maps(batch)[1], batch.lengths, legacy_padding=True)
        values = tables["matches"].query("layer == 2").pivot_table(index="protein", columns="metric", values="value")
        np.testing.assert_allclose(3 * values["matched"], match_heads(costs).total, rtol=1e-12)
        published = bug_totals(costs, match_heads(costs))
        np.testing.assert_allclose(values["bug_total"], published, rtol=1e-12)
        layer = of_layer(tables["layers"], 2)
        assert (layer["bug_mean"], layer["bug_sd"]) == pytest.approx((published.mean(), published.std()), rel=1e-10)
        # Padded rows look at valid keys alone, where they differ, and count: short proteins do not cost less.
        assert (values["matched"] > 16 * 0.2).all()


def test_published_totals_that_cannot_be_are_refused_before_the_work(params, context, tmp_path):
    legacy = dataclasses.replace(params, legacy_totals=True)
    with pytest.raises(ValueError, match="7 proteins, 2 and 3 heads; give at least as many proteins as heads"):
        matching(legacy, context)
    few = Context(needs={"proteins": write_proteins(tmp_path / "few", lengths=(5,))})
    with pytest.raises(ValueError, match="1 proteins, 2 and 2 heads"):
        matching(dataclasses.replace(legacy, plus_heads=2), few)


def test_published_dropout_depends_on_the_seed_and_the_protein_alone(params, context, tmp_path):
    legacy = dataclasses.replace(params, legacy_dropout=True)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = matching(legacy, context)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert matching(legacy, context)["matches"] == one["matches"]
    assert one["costs"][0]["batch_size"] == 1
    proper = pd.DataFrame(matching(params, context)["matches"])["value"]
    assert not np.allclose(pd.DataFrame(one["matches"])["value"], proper, rtol=1e-2)
    # The first three proteins alone have the masks that they have among all.
    fewer = Context(needs={"proteins": write_proteins(tmp_path / "fewer", lengths=LENGTHS[:3])})
    cut = pd.DataFrame(matching(legacy, fewer)["matches"])
    kept = pd.DataFrame(one["matches"]).query("protein < 3").reset_index(drop=True)
    key = ["tokens", "layer", "protein", "metric"]
    pd.testing.assert_frame_equal(cut.sort_values(key, ignore_index=True), kept.sort_values(key, ignore_index=True))
