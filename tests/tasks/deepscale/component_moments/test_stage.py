"""The stage as a plain function, and tables and sentences from its rows."""

import math

import numpy as np
import pytest

from metrics.published_errors import nearest_rank
from orchestrator.experiment import Context
from tasks.analysis.panels import of
from tasks.deepscale.component_moments import EXPERIMENT
from tasks.deepscale.component_moments.config import Config
from tasks.deepscale.component_moments.moments import moments
from tasks.deepscale.component_moments.plan import plan
from tasks.deepscale.component_moments.reduce import PUBLISHED, percentiles, summarise
from tasks.deepscale.component_moments.stages import MOMENTS
from tests.fake_results import FakeResults

SMALL = Config(
    components=("linear", "layernorm", "softmax", "attention", "residual"), points=6, trials=32, target=0.0,
    widths=(8,), tokens=(6,),
)  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return [(job, moments(job.params, Context())) for job in plan(SMALL)]


@pytest.fixture(scope="module")
def results(found):
    return FakeResults(EXPERIMENT.tables, found)


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr("tasks.deepscale.component_moments.figures.draw", lambda *given: {})


def test_rows_have_every_column_and_no_key_twice(found):
    for job, tables in found:
        rows = tables["moments"]
        names = set(MOMENTS.schema.names)
        assert all(set(row) == names for row in rows)
        assert len({(row["point"], row["quantity"]) for row in rows}) == len(rows)
        assert len({row["point"] for row in rows}) == len(job.params.points)
        assert tables["moment_costs"][0]["grid_points"] == len(job.params.points)


def test_columns_say_what_they_are_called(found):
    for job, tables in found:
        for row in tables["moments"]:
            exact, measured = row["predicted_exact"], row["measured"]
            if exact and math.isfinite(row["z"]):
                assert row["bias"] == pytest.approx((measured - exact) / abs(exact))
                assert abs(row["z"]) <= abs(measured - exact) / row["standard_error"] * (1 + 1e-9)
            if job.params.component == "residual":
                assert math.isnan(row["predicted_published"])
                assert math.isnan(row["bias_published"])


def test_points_that_share_a_simulation_differ_by_a_factor(found):
    # Output spreads of linear scale with the spread of the weights, whatever the point.
    rows = [row for job, tables in found if job.params.component == "linear" for row in tables["moments"]]
    by_simulation: dict[object, set[float]] = {}
    for row in rows:
        if row["quantity"] == "g_var":
            ratio = row["measured"] / (row["sigma_w"] * row["sigma_g"]) ** 2
            by_simulation.setdefault((row["r_g"], row["d_in"], row["d_out"]), set()).add(round(ratio, 9))
    assert all(len(ratios) == 1 for ratios in by_simulation.values())


def test_the_same_job_gives_the_same_rows(found):
    job, tables = found[0]
    again = moments(job.params, Context())
    assert again["moments"] == tables["moments"]


@pytest.mark.usefixtures("undrawn")
def test_tables_and_sentences(results):
    summary = summarise(results, SMALL)
    biases = summary.tables["biases"]
    assert set(biases["component"]) == set(SMALL.components)
    assert (biases["not_finite"] == 0).all()
    full = of(biases, component="softmax", quantity="x_var_full", form="published")["p50"].item()
    assert full > of(biases, component="softmax", quantity="x_var", form="published")["p50"].item()
    exact = biases[(biases["form"] == "exact") & biases["component"].isin(["linear", "layernorm"])]
    assert exact["z_rms"].max() < 3
    assert not summary.tables["percentiles"]["published_grid"].any()
    assert summary.tables["costs"]["component"].tolist() == list(SMALL.components)
    assert "missing" not in " ".join(summary.notes)


@pytest.mark.usefixtures("undrawn")
def test_what_is_missing_or_not_finite_is_said(found):
    broken = [(job, {**tables, "moments": [dict(row) for row in tables["moments"]]}) for job, tables in found[1:]]
    row = broken[0][1]["moments"][0]
    row |= dict.fromkeys(("measured", "bias", "bias_published", "z", "z_published", "legacy_error"), math.nan)
    summary = summarise(FakeResults(EXPERIMENT.tables, broken), SMALL)
    missing = len(found[0][0].params.points)
    assert any(note.startswith(f"{missing} of 30 grid points are missing") for note in summary.notes)
    assert any(note.startswith("1 of ") and "left out" in note for note in summary.notes)
    assert summary.tables["biases"]["not_finite"].sum() >= 1


def test_percentiles_stand_beside_the_published_ones():
    config = Config(components=("relu",), points=40, trials=32, target=0.0, tokens=(100,))
    found = [(job, moments(job.params, Context())) for job in plan(config)]
    rows = FakeResults(EXPERIMENT.tables, found).table("moments")
    table = of(percentiles(rows, config), form="published").set_index("quantity")
    assert table["published_grid"].all()
    for quantity, published in PUBLISHED["relu"].items():
        line = table.loc[quantity]
        assert tuple(line[["published_p50", "published_p90", "published_p99"]]) == published
        errors = of(rows, quantity=quantity)["legacy_error_published"]
        assert line["p90"] == pytest.approx(100 * nearest_rank(errors, 90))
    assert np.isfinite(table["p99"].to_numpy()).all()
