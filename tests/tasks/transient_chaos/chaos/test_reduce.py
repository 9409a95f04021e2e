"""From rows to summary tables: every number against a plain recomputation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tasks.transient_chaos.chaos.config import Config
from tasks.transient_chaos.chaos.figures import sorted_growth
from tasks.transient_chaos.chaos.reduce import default_threshold
from tasks.transient_chaos.chaos.reduce_survival import VALUES, compare
from tasks.transient_chaos.chaos.reduce_tables import (
    dimensions,
    effective_dimension,
    growth_table,
    layers_with_lines,
    lost_sentences,
    over_networks,
    spectra,
    synchronised,
    whole_spectra,
    windows_with_lines,
    with_lines,
)
from tests.tasks.transient_chaos.chaos.chaos_fakes import TABLES, FakeResults, long_tables, sweep_job, sweep_tables


def lines(values, key=None):
    """Rows {(line, network): [value of sentence 0, of sentence 1, ...]} of one mask mode."""
    return pd.DataFrame(
        [
            {"line": line, "mask_mode": "none", "network": network, "sentence": n, "value": value, **(key or {})}
            for (line, network), of_sentences in values.items()
            for n, value in enumerate(of_sentences)
        ]
    )


def test_fake_rows_have_just_the_declared_columns():
    random = np.random.default_rng(0)
    written = {**sweep_tables(random, None, 6, 60, 2), **long_tables(random, None, 6, 60)}
    for name, rows in written.items():
        for row in rows[:5]:
            assert list(row) == TABLES[name].schema.names, name
    assert {name for name, rows in written.items() if not rows} == {"lost"}


def test_lines_are_named_by_encoder_style_and_mask():
    results = FakeResults(
        [
            (job, {"costs": [{"layer_passes": 1, "tangent_passes": 2, "seconds": 1.0, "tangent_groups": 1}]})
            for job in (sweep_job(None, 0), sweep_job("keras", 3, "padding"), sweep_job("keras", 4, "padding"))
        ]
    )
    rows = with_lines(results.table("costs"), ["layer_passes"])
    found = set(rows[["line", "mask_mode", "network"]].astype(object).itertuples(index=False, name=None))
    assert found == {("pretrained", "none", -1), ("random, keras", "padding", 3), ("random, keras", "padding", 4)}


def test_mean_is_over_networks_of_means_over_sentences():
    rows = lines({("a", 0): [1.0, 2.0, 3.0], ("a", 1): [10.0], ("b", -1): [1.0, 2.0, 6.0]}, {"layer": 7})
    a, b = over_networks(rows, ["layer"], "value").to_dict("records")
    assert (a["mean"], a["networks"], a["n"], a["over"]) == (6.0, 2, 4, "networks")
    assert (a["low"], a["high"]) == pytest.approx(stats.t.interval(0.95, 1, loc=6.0, scale=stats.sem([2.0, 10.0])))
    assert (b["mean"], b["networks"], b["n"], b["over"]) == (3.0, 1, 3, "sentences")
    assert (b["low"], b["high"]) == pytest.approx(stats.t.interval(0.95, 2, loc=3.0, scale=stats.sem([1.0, 2.0, 6.0])))
    assert b["sd_sentences"] == pytest.approx(np.std([1.0, 2.0, 6.0], ddof=1))
    assert np.isnan(b["sd_networks"])


def test_values_that_are_not_finite_are_counted_and_left_out():
    rows = lines({("a", 0): [1.0, np.nan, -np.inf], ("a", 1): [np.nan, np.nan, np.inf]})
    [row] = over_networks(rows, [], "value").to_dict("records")
    assert (row["mean"], row["n"], row["not_finite"], row["networks"]) == (1.0, 1, 5, 1)
    assert np.isnan(row["low"])


def test_growth_of_two_hundred_thousand_windows_agrees_with_plain_means():
    random = np.random.default_rng(1)
    jobs = [sweep_job(None, 0), *(sweep_job("keras", seed) for seed in range(4))]
    one = pd.DataFrame(
        [(n, k, start) for n in range(250) for k in range(1, 5) for start in range(0, 800, 20)],
        columns=["sentence", "exponent", "start"],
    ).assign(method="tangent", phase="aligned")
    frames = [
        one.assign(
            growth=random.standard_normal(len(one)),
            encoder=job.params.encoder,
            init_style=job.params.init_style,
            encoder_seed=job.params.encoder_seed,
            mask_mode="none",
            job_id=job.id,
        ).astype({"encoder_seed": float, "init_style": "str"})
        for job in jobs
    ]
    table = growth_table(windows_with_lines(pd.concat(frames, ignore_index=True)))
    assert len(frames) * len(one) == 200_000
    assert len(table) == 2 * 4 * 40
    for row in table.sample(6, random_state=0).itertuples():
        own = frames[:1] if row.line == "pretrained" else frames[1:]
        means = [f.loc[(f["exponent"] == row.exponent) & (f["start"] == row.start), "growth"].mean() for f in own]
        assert row.mean == pytest.approx(np.mean(means))
        assert row.n == 250 * len(own)


def spectrum_results(values):
    """A spectrum table {sentence: [exponents]} of a pretrained network, after 40 layers."""
    rows = [
        {"sentence": n, "exponent": k, "layers": layers, "growth": value}
        for n, exponents in values.items()
        for k, value in enumerate(exponents, 1)
        for layers in (20, 40)
    ]
    return FakeResults([(sweep_job(None, 0), {"spectrum": rows})]).table("spectrum")


def test_spectrum_is_of_the_sentences_that_have_all_exponents():
    table = spectra(whole_spectra(spectrum_results({0: [1.0, -2.0], 1: [3.0, -4.0], 2: [100.0]})))
    assert len(table) == 4
    last = table[table["layers"] == 40].set_index("exponent")
    assert last["mean"].to_dict() == {1: 2.0, 2: -3.0}
    assert set(last["n"]) == {2}


def test_dimension_is_kaplan_yorkes_and_those_beyond_the_spectrum_are_counted():
    spectrum = whole_spectra(spectrum_results({0: [1.0, -2.0], 1: [1.0, -0.5], 2: [np.nan, -1.0], 3: [0.7]}))
    [row] = dimensions(spectrum).to_dict("records")
    assert row["mean"] == pytest.approx((1.5 + 2.0) / 2)
    assert (row["exponents"], row["n"], row["beyond"], row["not_finite"], row["layers"]) == (2, 2, 1, 1, 40)
    assert row["high"] <= 2.0
    assert not len(dimensions(whole_spectra(spectrum_results({0: [0.1]}))))


def offsets_of(censored, rule="persistent"):
    shared = {"statistic": "spread", "threshold": 1e-3, "rule": rule}
    return [{"sentence": n, **shared, "layers": 5, "censored": c} for n, c in enumerate(censored)]


def test_share_synchronised_is_of_the_sentences_that_have_states():
    job = sweep_job(None, 0)
    tables = {
        "offsets": [*offsets_of([False, False, True, True]), *offsets_of([False] * 4, "first")],
        "lost": [{"sentence": 3, "layer": 9, "reason": "NaN"}],
    }
    results = FakeResults([(job, tables)])
    [row] = synchronised(results.table("offsets"), results.table("lost")).to_dict("records")
    assert (row["share"], row["n"], row["lost"], row["over"]) == (pytest.approx(2 / 3), 3, 1, "sentences")
    wilson = stats.binomtest(2, 3).proportion_ci(method="wilson")
    assert (row["low"], row["high"]) == pytest.approx((wilson.low, wilson.high))
    [gone] = lost_sentences(results.table("lost")).to_dict("records")
    assert (gone["reason"], gone["sentences"], gone["first_layer"]) == ("NaN", 1, 9)


def test_sentences_lost_in_another_job_are_not_lost_here():
    rows = [
        (
            sweep_job("keras", 0),
            {"offsets": offsets_of([False]), "lost": [{"sentence": 0, "layer": 2, "reason": "NaN"}]},
        ),
        (sweep_job("keras", 1), {"offsets": offsets_of([False])}),
    ]
    results = FakeResults(rows)
    [row] = synchronised(results.table("offsets"), results.table("lost")).to_dict("records")
    assert (row["n"], row["lost"], row["share"]) == (1, 1, 1.0)


def test_effective_dimension_keeps_within_its_bound_and_counts_networks_without_one():
    values = {0: (11.0, 12.0), 1: (1.5, 12.0), 2: (np.nan, 12.0)}
    rows = [
        (
            sweep_job("keras", seed),
            {
                "layers": [
                    {"layer": 3, "metric": "effective_dimension", "value": value},
                    {"layer": 3, "metric": "sentences", "value": n},
                ]
            },
        )
        for seed, (value, n) in values.items()
    ]
    [row] = effective_dimension(layers_with_lines(FakeResults(rows).table("layers"))).to_dict("records")
    assert (row["mean"], row["networks"], row["undefined"], row["bound"]) == (6.25, 2, 1, 11.0)
    assert (row["low"], row["high"]) == (1.0, 11.0)


def network_rows(pretrained, random, beyond=()):
    shared = {"mask_mode": "none", "quantity": "q", "detail": "d", "unit": "layers"}
    rows = [{"line": "pretrained", "network": -1, "value": pretrained, "beyond": -1 in beyond, **shared}]
    rows += [
        {"line": "random, keras", "network": i, "value": value, "beyond": i in beyond, **shared}
        for i, value in enumerate(random)
    ]
    return pd.DataFrame(rows)[VALUES]


def test_comparison_counts_the_networks_below_the_pretrained_one():
    [row] = compare(network_rows(5.0, [1.0, 5.0, 7.0, np.nan])).to_dict("records")
    assert (row["networks"], row["undefined"]) == (3, 1)
    assert (row["share_below"], row["share_above"]) == pytest.approx((1 / 3, 1 / 3))
    assert (row["random_median"], row["random_lowest"], row["random_highest"]) == (5.0, 1.0, 7.0)


def test_what_is_beyond_the_run_is_larger_than_everything_and_never_a_number():
    [row] = compare(network_rows(np.nan, [3.0, np.nan, np.nan], beyond=(-1, 1, 2))).to_dict("records")
    assert row["pretrained_beyond"]
    assert np.isnan(row["pretrained"])
    assert (row["random_beyond"], row["share_below"], row["share_above"]) == (2, pytest.approx(1 / 3), 0.0)
    assert np.isnan(row["random_median"])


def test_comparison_without_a_pretrained_network_has_no_shares():
    rows = network_rows(0.0, [3.0])
    [row] = compare(rows[rows["line"] != "pretrained"]).to_dict("records")
    assert np.isnan(row["share_below"])
    assert not len(compare(rows[rows["line"] == "pretrained"]))


def test_map_is_sorted_by_the_first_window_without_growth():
    growth = {0: [0.1, -0.1, 0.3], 1: [0.1, 0.1, 0.1], 2: [-1.0, 0.5, 0.5], 3: [0.2, 0.2, np.nan]}
    rows = pd.DataFrame(
        [
            {"network": 0, "sentence": n, "start": 20 * w, "growth": value}
            for n, values in growth.items()
            for w, value in enumerate(values)
        ]
    )
    matrix, lengths, starts = sorted_growth(rows)
    assert list(lengths) == [3, 2, 1, 0]
    assert starts == [0, 20, 40]
    np.testing.assert_array_equal(matrix, [growth[n] for n in (1, 3, 0, 2)])


def test_default_threshold_is_the_nearest_there_is():
    assert default_threshold(Config()) == 1e-3
    assert default_threshold(Config(thresholds=(0.1, 0.01))) == 0.01
