"""Sequences to copy have the published statistics, up to what 2,000 draws scatter."""

import json
from pathlib import Path

import numpy as np
import pytest

from metrics.copying import bag_statistics, counted_bag_statistics
from tasks.attention.copying.options import parse_setting
from tasks.attention.copying.training import draw_sequences, framed
from tasks.training.seeds import torch_stream

PUBLISHED = json.loads((Path(__file__).parent / "copy_data_stats.json").read_text("utf-8"))
CASES = {"norep_40of40": "permutation-40", "norep_40of60": "distinct-60", "rep_40": "repeat-40"}


@pytest.mark.parametrize(("name", "setting"), CASES.items())
def test_closed_forms_are_the_published_theory(name, setting):
    parsed, theory = parse_setting(setting), PUBLISHED["theory"]
    known = bag_statistics(parsed.kind, parsed.symbols, 40)
    assert known.presence == pytest.approx(theory["presence"][name], rel=1e-12)
    assert known.variance == pytest.approx(theory["bag_variance"][name], rel=1e-12)
    assert known.covariance == pytest.approx(theory["bag_covariance"][name], rel=1e-12)


@pytest.mark.parametrize(("name", "setting"), CASES.items())
def test_drawn_sequences_are_like_the_published_ones(name, setting):
    published, parsed = PUBLISHED[name], parse_setting(setting)
    n = published["n"]
    drawn = draw_sequences(parsed, 40, n, torch_stream(0, "test"))
    source, target = framed(drawn, parsed.symbols)
    assert (list(source.shape), list(target.shape)) == (published["X_shape"], published["Y_shape"])
    assert set(source[:, -1].tolist()) == set(target[:, -1].tolist()) == {published["eos_id"]}
    assert set(target[:, 0].tolist()) == {published["sos_id"]}
    assert (target[:, 1:] == source).all()
    ours = counted_bag_statistics(drawn, parsed.symbols)
    # Five standard errors of a difference. Presence: the mean of V shares. Where a sequence has fixed numbers of
    # distinct symbols it is exact.
    counts = np.array([len(set(row)) for row in drawn.tolist()])
    scatter = 5 * np.sqrt(2 / n)
    assert counts.mean() == pytest.approx(published["mean_distinct_tokens"], abs=scatter * counts.std() + 1e-12)
    spread = scatter * counts.std() / parsed.symbols + 1e-12
    assert ours.presence == pytest.approx(published["mean_presence"], abs=spread)
    # A variance over n draws scatters by at most sqrt(fourth moment / n), and V symbols' mean by less.
    known = bag_statistics(parsed.kind, parsed.symbols, 40)
    fourth = 3 * known.variance**2 + known.variance
    assert ours.variance == pytest.approx(published["bag_variance_mean"], abs=scatter * np.sqrt(fourth) + 1e-12)
    # The counts of a sequence add up to 40, so the mean covariance is minus the mean variance / (V - 1).
    assert ours.covariance == pytest.approx(-ours.variance / (parsed.symbols - 1), abs=1e-12)
    # Every symbol and every position alike: the sum of symbol times position has this mean and scatter.
    hits = np.bincount(drawn.flatten().numpy(), minlength=parsed.symbols)
    assert np.abs(hits - n * 40 / parsed.symbols).max() <= 5 * np.sqrt(n * known.variance) + 1e-9
    for position in (0, 39):
        here = np.bincount(drawn[:, position].numpy(), minlength=parsed.symbols)
        share = 1 / parsed.symbols
        assert np.abs(here - n * share).max() < 5 * np.sqrt(n * share * (1 - share))
