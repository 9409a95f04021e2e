"""Curves and summaries of times that may be censored, against a plain recomputation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from metrics.survival import kaplan_meier
from tasks.transient_chaos.chaos.figures_states import whole_steps
from tasks.transient_chaos.chaos.reduce_survival import long_survivals, offset_survivals, survivals
from tasks.transient_chaos.chaos.reduce_tables import long_growth, long_summary
from tests.tasks.transient_chaos.chaos.chaos_fakes import FakeResults, believable, long_job


def times(values):
    """Rows {(line, network): [(layers, censored), ...]}."""
    return pd.DataFrame(
        [
            {"line": line, "mask_mode": "none", "network": network, "layers": layers, "censored": censored}
            for (line, network), of_sentences in values.items()
            for layers, censored in of_sentences
        ]
    )


def test_curve_of_one_network_is_kaplan_meiers():
    observed = [(3, False), (5, True), (5, False), (8, False), (10, True), (10, True)]
    found = survivals(times({("a", -1): observed}), [])
    reference = kaplan_meier(*map(list, zip(*observed, strict=True)))  # pyright: ignore[reportArgumentType]
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


def test_a_curve_that_falls_at_once_is_drawn_to_the_end():
    [x, y] = whole_steps([0.0], [0.0], end=50.0)
    assert (x.tolist(), y.tolist()) == ([0.0, 0.0, 50.0], [1.0, 0.0, 0.0])
    [x, y] = whole_steps([0.0, 30.0], [1.0, 0.4], end=50.0)
    assert (x.tolist(), y.tolist()) == ([0.0, 0.0, 30.0], [1.0, 1.0, 0.4])
