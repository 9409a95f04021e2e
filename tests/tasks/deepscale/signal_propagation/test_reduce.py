"""Curves, errors and slopes from rows made up so that the answers are known."""

import numpy as np
import pandas as pd
import pytest

from orchestrator.experiment import Job
from tasks.deepscale.signal_propagation import EXPERIMENT
from tasks.deepscale.signal_propagation.config import Config
from tasks.deepscale.signal_propagation.published import FIGURES, LAYERS, drawn_prediction
from tasks.deepscale.signal_propagation.reduce import errors, over_seeds, slopes, summarise
from tasks.deepscale.signal_propagation.stages import SIGNALS, SignalParams
from tests.fake_results import FakeResults

LINE = {"layers": 9, "source": "zipf", "norm": "pre", "scheme": "xavier"}


def rows(seed: int, factor: float) -> list[dict]:
    """V = 2 n, weight norms n^-1/2, gradient 1.1^-n; measured is `factor` times that, and so it is told."""
    found = []
    for quantity, of_layer, first in (
        ("variance", lambda n: 2.0 * n + 1, 0),
        ("correlation", lambda n: 0.5, 0),
        ("gradient_variance", lambda n: 1.1**-n, 0),
        ("weight_profile", lambda n: n**-0.5, 1),
    ):
        for layer in range(first, 10):
            theory = of_layer(layer)
            forms = {"theory": theory, "theory_free": theory, "theory_published": None}
            found.append(
                {**LINE, "seed": seed, "layer": layer, "quantity": quantity, "measured": factor * theory, **forms}
            )
    return found


TABLE = pd.DataFrame([*rows(0, 1.0), *rows(1, 1.21)])


def test_means_of_gradients_are_geometric_and_others_are_not():
    found = over_seeds(TABLE).set_index(["quantity", "layer"])
    assert found.loc[("gradient_variance", 0), "mean"] == pytest.approx(1.1)
    assert found.loc[("variance", 2), "mean"] == pytest.approx(5 * 1.105)
    assert (found["low"] < found["mean"]).to_numpy().all()
    bad = TABLE.copy()
    bad.loc[0, "measured"] = np.nan
    again = over_seeds(bad).set_index(["quantity", "layer"])
    assert again.loc[("variance", 0), ["mean", "seeds", "not_finite"]].tolist() == [1.21, 1, 1]


def test_errors_are_shares_and_of_correlations_differences():
    found = errors(TABLE).set_index(["quantity", "form"])
    assert found.loc[("variance", "theory"), "bias"] == pytest.approx(10.5)
    assert found.loc[("correlation", "theory"), ["unit", "p90"]].tolist() == ["difference", pytest.approx(0.105)]
    assert ("gradient_variance", "theory_published") not in found.index


def test_slopes_are_those_that_the_rows_were_made_with():
    found = slopes(TABLE).set_index("measure")
    assert found.loc["variance_slope", ["mean", "theory"]].tolist() == pytest.approx([2.21, 2.0])
    assert found.loc["norm_exponent", "mean"] == pytest.approx(-0.5)
    assert found.loc["norm_range", "mean"] == pytest.approx(3)
    assert found.loc["bottom_gradient", "mean"] == pytest.approx(1.1**9)
    assert found.loc["variance_slope", "published"] == 2.13


def test_the_published_figures_have_the_numbers_that_are_told_of_them():
    named = {(one.norm, one.scheme, one.quantity): one.read_off for one in FIGURES}
    assert np.polyfit(LAYERS, named["pre", "xavier", "variance"], 1)[0] == pytest.approx(2.13, abs=0.01)
    norms = named["pre", "xavier", "published_norm"]
    assert np.polyfit(np.log(LAYERS), np.log(norms), 1)[0] == pytest.approx(-0.5, abs=0.01)
    logs = named["post", "xavier", "published_norm"]
    assert np.exp(np.polyfit(LAYERS, logs, 1)[0]) == pytest.approx(1.0241, abs=1e-4)
    drawn = drawn_prediction(FIGURES[0], np.array([9.0, 9.0, 9.0, 40.0]))
    assert drawn is not None
    assert drawn.tolist() == [10, 20, 30, 40]


def test_a_network_without_a_finite_value_is_counted_and_drawn_as_empty():
    params = SignalParams(norm="pre", scheme="xavier", layers=9, source="zipf", vocab_size=50, seed=0)
    job = Job(stage=SIGNALS, params=params)
    quantities = dict.fromkeys(row["quantity"] for row in rows(0, 1.0)) | {"gradient_correlation": None}
    given = [
        {"layer": n, "quantity": name, "measured": np.nan, "theory": None, "theory_free": 1.0, "theory_published": None}
        for name in [*quantities, "published_norm"]
        for n in range(1, 10)
    ]
    run = dict.fromkeys((f.name for f in SIGNALS.tables["runs"].schema), np.nan)
    run |= {"tokens": 1, "parameters": 1, "recomputed": False}
    found = summarise(
        FakeResults(EXPERIMENT.tables, [(job, {"layers": given, "runs": [run]})]),
        Config(seeds=(0,), sources=("zipf",), depths=(9,), norms=("pre",), schemes=("xavier",)),
    )
    assert found.tables["curves"]["not_finite"].sum() == 54
    assert {"signals-9-zipf", "published-9-zipf"} <= set(found.figures)
    assert found.tables["runs"]["finite"].tolist() == [0]
