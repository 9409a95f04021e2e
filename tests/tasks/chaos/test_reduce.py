"""From rows to summary tables: every number against a plain recomputation."""

# pandas annotates the keys of groupby and the rows of itertuples as anything hashable, so these rules say nothing here:
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false
# pyright: reportIndexIssue=false, reportReturnType=false

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from metrics.survival import kaplan_meier
from tasks.chaos.config import Config
from tasks.chaos.figures_survival import sorted_growth
from tasks.chaos.reduce import default_threshold
from tasks.chaos.reduce_comparison import VALUES, compare
from tasks.chaos.reduce_growth import dimensions, growth_table, long_growth, spectra, whole_spectra, windows_with_lines
from tasks.chaos.reduce_lines import over_networks, with_lines
from tasks.chaos.reduce_sample import effective_dimension, layers_with_lines, long_summary, lost_sentences, synchronised
from tasks.chaos.reduce_survival import long_survivals, offset_survivals, survivals
from tests.tasks.chaos.chaos_fakes import (
    TABLES,
    FakeResults,
    believable,
    long_job,
    long_tables,
    sweep_job,
    sweep_tables,
)


def lines(values, key=None):
    """Rows {(line, network): [value of sentence 0, of sentence 1, ...]} of one mask mode."""
    return pd.DataFrame(
        [
            {"line": line, "mask_mode": "none", "network": network, "sentence": n, "value": value, **(key or {})}
            for (line, network), of_sentences in values.items()
            for n, value in enumerate(of_sentences)
        ]
    )


def times(values):
    """Rows {(line, network): [(layers, censored), ...]}."""
    return pd.DataFrame(
        [
            {"line": line, "mask_mode": "none", "network": network, "layers": layers, "censored": censored}
            for (line, network), of_sentences in values.items()
            for layers, censored in of_sentences
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


def test_curve_of_one_network_is_kaplan_meiers():
    observed = [(3, False), (5, True), (5, False), (8, False), (10, True), (10, True)]
    found = survivals(times({("a", -1): observed}), [])
    reference = kaplan_meier(*zip(*observed, strict=True))
    curve = found.curves.set_index("layers")
    assert curve.loc[0.0, "survival"] == 1.0
    np.testing.assert_allclose(curve.loc[reference.times, "survival"], reference.survival)
    np.testing.assert_allclose(curve.loc[reference.times, "low"], reference.low)
    assert curve["censored"].to_dict() == {0.0: 0, 3.0: 0, 5.0: 1, 8.0: 0, 10.0: 2}
    [row] = found.summary.to_dict("records")
    assert row["restricted_mean"] == pytest.approx(reference.restricted_mean)
    assert (row["median"], row["n"], row["censored"], row["over"]) == (8.0, 6, 3, "sentences")
    assert row["censored_fraction"] == 0.5


def test_curve_of_several_networks_is_their_mean_and_its_interval_is_over_them():
    found = survivals(times({("a", 0): [(2, False), (4, False)], ("a", 1): [(4, False), (10, True)]}), [])
    curve = found.curves.set_index("layers")
    # S of network 0: 1, 1/2 from 2, 0 from 4. Of network 1: 1, 1/2 from 4 on.
    assert curve["survival"].to_dict() == {0.0: 1.0, 2.0: 0.75, 4.0: 0.25, 10.0: 0.25}
    half = stats.t.ppf(0.975, 1) * np.std([0.5, 1.0], ddof=1) / np.sqrt(2)
    assert curve.loc[2.0, "low"] == max(0.0, 0.75 - half)
    assert curve.loc[2.0, "high"] == min(1.0, 0.75 + half)
    [row] = found.summary.to_dict("records")
    assert (row["median"], row["networks"], row["over"], row["horizon"]) == (4.0, 2, "networks", 10.0)
    assert row["restricted_mean"] == pytest.approx(((2 + 4) / 2 + (4 + 10) / 2) / 2)


def test_restricted_means_of_all_lines_have_one_horizon():
    found = survivals(times({("a", -1): [(50, True), (20, False)], ("b", 0): [(90, True), (80, False)]}), [])
    assert set(found.summary["horizon"]) == {50.0}
    assert found.summary.set_index("line")["restricted_mean"].to_dict() == {"a": 35.0, "b": 50.0}
    assert found.summary["median"].isna().to_dict() == {0: False, 1: False}


def test_a_network_that_was_lost_at_once_is_counted_and_leaves_the_others_alone():
    lost, seen = [(0, True), (0, True)], [(6, False), (9, True)]
    found = survivals(times({("a", 0): lost, ("a", 1): seen, ("b", -1): lost}), [])
    a, b = found.summary.to_dict("records")
    assert (a["unobserved"], a["networks"], a["horizon"], a["n"], a["censored"]) == (1, 1, 9.0, 4, 3)
    assert (b["unobserved"], b["networks"]) == (1, 0)
    assert np.isnan(b["restricted_mean"])
    assert set(found.curves["line"]) == {"a"}


def test_median_is_nan_where_more_than_half_never_end():
    found = survivals(times({("a", -1): [(5, False), (9, True), (9, True)]}), [])
    assert found.summary["median"].isna().all()
    assert found.networks["median"].isna().all()


def test_offsets_have_a_curve_a_threshold():
    results = believable(lines=(None, "keras"), masks=("none",), seeds=2, layers=100, long=False)
    found = offset_survivals(results.table("offsets"))
    assert len(found.summary) == 2 * 2 * 5 * 2
    means = found.summary[(found.summary["statistic"] == "spread") & (found.summary["rule"] == "first")]
    for _, own in means.groupby("line"):
        assert (own.sort_values("threshold")["restricted_mean"].diff().dropna() <= 0).all()


def test_followed_sentences_alone_have_a_long_chaos_length():
    job = long_job(None, 0)
    shared = {"spread": 1e-6, "lost_at": None}
    rows = [
        {"sentence": 0, **shared, "followed": True, "chaos_layers": 700, "censored": False},
        {"sentence": 1, **shared, "followed": True, "chaos_layers": 900, "censored": True},
        {"sentence": 2, **shared, "followed": False, "chaos_layers": None, "censored": None},
    ]
    starts = FakeResults([(job, {"long_starts": rows})]).table("long_starts")
    [row] = long_survivals(starts).summary.to_dict("records")
    assert (row["n"], row["censored"], row["median"]) == (2, 1, 700.0)
    [row] = long_summary(starts, long_growth(FakeResults([]).table("long_windows"))).to_dict("records")
    assert (row["sentences"], row["synchronised"], row["followed"], row["lost"]) == (3, 3, 2, 0)
    assert np.isnan(row["last_along"])


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
