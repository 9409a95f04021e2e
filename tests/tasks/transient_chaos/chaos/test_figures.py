"""The whole summary: captions, notes, labelled figures; and that no part of a sweep makes it raise."""

import io
import warnings

import numpy as np
import pytest

from tasks.transient_chaos.chaos import EXPERIMENT
from tasks.transient_chaos.chaos.config import Config
from tasks.transient_chaos.chaos.reduce import summarise
from tasks.transient_chaos.chaos.reduce_survival import chaos_length_survivals
from tasks.transient_chaos.chaos.reduce_tables import growth_table, windows_with_lines
from tests.tasks.transient_chaos.chaos.chaos_fakes import FakeResults, believable, sweep_job, sweep_tables

ALL = [
    "attention_maps",
    "chaos_length_map",
    "convergence",
    "effective_dimension",
    "growth_two_panels",
    "long_growth",
    "long_trajectory",
    "spectrum",
    "survival",
    "survival_thresholds",
    "token_deviation",
    "trajectories",
]


@pytest.fixture(scope="module")
def summary():
    results = believable(
        lines=(None, "keras"), masks=("none",), seeds=2, sentences=6, layers=120, exponents=2, differences=True
    )
    return summarise(results, Config())


def draw(summary, layout=False):
    """Every figure as a picture, with every warning an error; the sizes in bytes. The layout takes half the time."""
    sizes = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, figure in summary.figures.items():
            if not layout:
                figure.set_layout_engine("none")
            buffer = io.BytesIO()
            figure.savefig(buffer, dpi=20)
            sizes[name] = buffer.tell()
    return sizes


def test_every_figure_is_drawn_and_has_a_caption(summary):
    assert sorted(summary.figures) == ALL
    assert set(summary.captions) == {*summary.figures, *summary.tables}
    assert all(draw(summary, layout=True).values())


def test_outer_axes_are_labelled(summary):
    for name, figure in summary.figures.items():
        axes = [axis for axis in figure.axes if axis.get_visible()]
        for axis in axes:
            place = axis.get_subplotspec()
            if place is None or axis.get_label() == "<colorbar>":
                assert axis.get_ylabel(), name
                continue
            assert axis.get_ylabel() or not place.is_first_col(), name
            assert axis.get_xlabel() or not place.is_last_row(), name


def test_growth_figure_shows_the_means_of_its_table(summary):
    table = summary.tables["growth"]
    shown = table[(table["exponent"] == 1) & (table["mask_mode"] == "none")]
    own = shown[(shown["line"] == "pretrained") & (shown["phase"] == "aligned")].sort_values("start")
    axis = summary.figures["growth_two_panels"].axes[0]
    drawn = [line.get_ydata() for line in axis.lines if len(line.get_xdata()) == len(own)]
    assert any(np.array_equal(values, own["mean"]) for values in drawn)
    # Two lines, each with an aligned tangent, a random start and a difference; and the zero line.
    assert len(axis.lines) == 2 * 3 + 1


def test_notes_say_what_is_censored_lost_and_undefined(summary):
    text = "\n".join(summary.notes)
    table = summary.tables["chaos_length_summary"]
    [row] = table[
        (table["line"] == "random, keras")
        & (table["mask_mode"] == "none")
        & (table["phase"] == "aligned")
        & (table["rule"] == "first_nonpositive")
    ].itertuples()
    assert f"({row.censored} of {row.n} censored)" in text
    assert "0 of 18 sentences were lost" in text


def test_equal_numbers_under_both_mask_modes_are_said():
    tables = {"windows": sweep_tables(np.random.default_rng(0), None, 3, 60, 1)["windows"]}
    other = {"windows": [{**row, "growth": row["growth"] + 0.01} for row in tables["windows"]]}
    jobs = [sweep_job(None, 0, mask_mode) for mask_mode in ("none", "padding")]
    same, apart = (
        summarise(FakeResults(list(zip(jobs, pair, strict=True))), Config()).notes
        for pair in ((tables, tables), (tables, other))
    )
    assert any("as without padding: pretrained." in note for note in same)
    assert not any("as without padding" in note for note in apart)


def test_every_table_of_the_experiment_is_read():
    read = set()

    class Recording(FakeResults):
        def table(self, name):
            read.add(name)
            return super().table(name)

    summarise(Recording([]), Config())
    assert read == set(EXPERIMENT.tables)


def test_jobs_without_rows_give_no_figure():
    assert not summarise(FakeResults([(sweep_job(None, 0), {}), (sweep_job("keras", 0), {})]), Config()).figures


def test_pretrained_alone_has_no_comparison():
    summary = summarise(believable(lines=(None,), masks=("none",), sentences=5, layers=60), Config())
    assert sorted(summary.figures) == ALL
    assert "comparison" not in summary.tables


def test_one_sentence_has_no_interval():
    summary = summarise(
        believable(lines=(None, "keras"), masks=("none",), seeds=1, sentences=1, layers=60, long=False), Config()
    )
    assert summary.tables["growth"]["low"].isna().all()
    draw(summary)


def test_without_exponents_there_is_neither_growth_nor_chaos_length():
    summary = summarise(believable(lines=(None,), masks=("none",), layers=60, exponents=0, long=False), Config())
    left_out = {"growth_two_panels", "spectrum", "convergence", "chaos_length_map", "long_growth", "long_trajectory"}
    assert sorted(summary.figures) == sorted({*ALL} - left_out)
    assert "chaos_length_summary" not in summary.tables


def lost_tables():
    """A sweep all of whose sentences have no finite state from layer 1 on."""
    tables = sweep_tables(np.random.default_rng(0), None, 3, 60, 2)
    nan = float("nan")
    for name, value in (("windows", "growth"), ("spectrum", "growth"), ("trajectories", "value"), ("spreads", "value")):
        tables[name] = [{**row, value: nan} for row in tables[name]]
    tables["attention"] = [{**row, "probability": nan} for row in tables["attention"]]
    tables["layers"] = [{**row, "value": 0.0 if row["metric"] == "sentences" else nan} for row in tables["layers"]]
    for name in ("chaos_lengths", "offsets"):
        tables[name] = [{**row, "layers": 0, "censored": True} for row in tables[name]]
    tables["lost"] = [{"sentence": n, "layer": 1, "reason": "NaN"} for n in range(3)]
    return tables


def test_all_sentences_lost_is_said_and_drawn_without_a_number():
    summary = summarise(FakeResults([(sweep_job(None, 0), lost_tables())]), Config())
    assert "chaos_length_map" not in summary.figures
    assert summary.tables["growth"]["mean"].isna().all()
    assert summary.tables["lost_sentences"]["sentences"].sum() == 3
    assert summary.tables["chaos_length_summary"]["unobserved"].eq(1).all()
    assert set(summary.tables["lost_sentences"]["first_layer"]) == {1}
    assert (summary.tables["growth"]["not_finite"] > 0).all()
    draw(summary)


def test_a_lost_network_leaves_the_others_as_they_are():
    good = sweep_tables(np.random.default_rng(0), "keras", 4, 60, 2)
    alone = FakeResults([(sweep_job("keras", 1), good)])
    both = FakeResults([(sweep_job("keras", 0), lost_tables()), (sweep_job("keras", 1), good)])
    growth = [growth_table(windows_with_lines(results.table("windows"))) for results in (alone, both)]
    assert growth[0]["mean"].tolist() == growth[1]["mean"].tolist()
    assert min(growth[1]["not_finite"].tolist()) > 0
    lengths = [chaos_length_survivals(results.table("chaos_lengths")) for results in (alone, both)]
    assert lengths[0].summary["restricted_mean"].tolist() == lengths[1].summary["restricted_mean"].tolist()
    assert lengths[0].curves["survival"].tolist() == lengths[1].curves["survival"].tolist()
