"""Figures of whole and of broken sweeps: labelled, complete, and never a crash."""

import io

import numpy as np
import pytest

from tasks.squad.squad_probes.reduce import summarise
from tests.tasks.squad.squad_probes.planted_scores import asked
from tests.tasks.squad.squad_probes.probe_fakes import (
    ALBERT,
    BERT,
    DISTILBERT,
    FakeResults,
    encoder,
    evaluation,
    scratch_encoders,
    sweep,
    training,
)

KINDS = ("difference", "heat_map", "beside_published", "convergence-distilbert", "training_curves-distilbert")
"""One figure of each way to draw; the others are made in the same way."""


def drawn(summary, kinds=KINDS):
    """Really draw figures: some errors come only then."""
    for name, figure in summary.figures.items():
        if name.startswith(kinds):
            figure.savefig(io.BytesIO(), format="png", dpi=30)
    return summary


@pytest.fixture(scope="module")
def published():
    """A legacy sweep of two published models of different depth."""
    whos = [
        encoder(model, kind, mode="legacy") for model in (ALBERT, DISTILBERT) for kind in ("pretrained", "finetuned")
    ]
    return drawn(summarise(sweep(whos), asked((ALBERT, DISTILBERT))))


def test_all_figures_and_tables_are_there_with_captions(published):
    assert set(published.figures) == {
        *("by_level", "separated", "difference", "heat_map", "decoders", "beside_published"),
        *("convergence-albert_albert_base_v2", "training_curves-albert_albert_base_v2"),
        *("convergence-distilbert_base_uncased", "training_curves-distilbert_base_uncased"),
    }
    assert {"layers", "selected", "differences", "onset", "published_beside", "gap"} <= set(published.tables)
    for name in (*published.figures, *published.tables):
        assert published.captions[name], name


def test_axes_are_labelled(published):
    for name, figure in published.figures.items():
        texts = [axis.get_ylabel() for axis in figure.axes] + [axis.get_xlabel() for axis in figure.axes]
        unit = "nats" if name.startswith("training") else "points" if name == "difference" else "%"
        assert any(unit in text for text in texts), name
        assert any("layer" in text for text in texts), name


def test_levels_are_relative_where_models_of_different_depth_share_a_panel(published):
    left = published.figures["difference"].axes[0]
    assert left.get_xlabel() == "relative depth (layer / layers)"
    lines = [line.get_xdata() for line in left.lines if line.get_marker() == "o"]
    assert [len(x) for x in lines] == [13, 7]
    assert all(x[-1] == 1.0 for x in lines)
    own = published.figures["by_level"].axes[0]
    assert max(own.lines[0].get_xdata()) == 12


def test_the_heat_map_is_centred_at_never_answering(published):
    image = published.figures["heat_map"].axes[0].images[0]
    assert image.norm.vcenter == pytest.approx(52.1224, abs=1e-4)
    labels = [text.get_text() for text in published.figures["heat_map"].axes[0].get_yticklabels()]
    assert labels[:2] == ["albert-base-v2, fine-tuned", "albert-base-v2, pretrained"]


def test_legacy_rows_are_first_beside_the_published_ones(published):
    first = published.tables["published_beside"].iloc[0]
    assert (first["mode"], first["decoder"], first["configuration"]) == ("legacy", "legacy", "adam 3e-05")
    assert "legacy decoder" in published.figures["beside_published"].get_suptitle()


def test_small_models_from_scratch_have_no_published_figure():
    summary = summarise(sweep(scratch_encoders()), asked(("scratch",), ("finetuned", "random")))
    assert "beside_published" not in summary.figures
    assert "published_beside" not in summary.tables
    assert summary.figures["difference"].axes[0].get_xlabel() == "layer (0: embedding output)"
    assert set(summary.tables["differences"]["before"]) == {"random"}
    assert not any("published" in note for note in summary.notes)


def test_one_encoder_alone():
    summary = summarise(sweep([encoder(BERT, "finetuned")], trained=False), asked())
    assert "difference" not in summary.figures
    assert any("no difference to before fine-tuning" in note for note in summary.notes)
    assert any("no scores of the encoder pretrained" in note for note in summary.notes)


def test_nothing_at_all_is_no_error():
    for found in (
        FakeResults([]),
        FakeResults([(evaluation(np.random.default_rng(0), encoder(BERT, "random", 0))[0], {})]),
    ):
        summary = drawn(summarise(found, asked()))
        assert not summary.figures
        assert any("no scores yet" in note for note in summary.notes)


def test_training_alone_shows_its_curves():
    found = FakeResults(training(np.random.default_rng(0), encoder(DISTILBERT, "pretrained")))
    summary = drawn(summarise(found, asked()))
    assert list(summary.figures) == ["training_curves-distilbert_base_uncased"]
    assert any("have not converged" in note for note in summary.notes)


def test_one_solver_one_seed_one_decoder():
    who = scratch_encoders(seeds=(0,))
    random = np.random.default_rng(0)
    for keep in (
        lambda row: row["solver"] == "lbfgs" and row["decoder"] == "proper",
        lambda row: row["solver"] == "adam" and row["seed"] == 1 and row["epoch"] == 1 and row["decoder"] == "legacy",
    ):
        jobs = [evaluation(random, one) for one in who]
        jobs = [(job, {**tables, "scores": [row for row in tables["scores"] if keep(row)]}) for job, tables in jobs]
        summary = summarise(FakeResults(jobs), asked())
        assert "decoders" not in summary.figures
        assert {"by_level", "difference", "heat_map"} <= set(summary.figures)
        assert summary.tables["selected"]["low"].isna().all()


def test_values_that_are_nan_are_counted_and_drawn_around():
    jobs = [evaluation(np.random.default_rng(0), who) for who in scratch_encoders(seeds=(0,))]
    for row in jobs[0][1]["scores"]:
        if row["level"] >= 3:
            row["value"] = np.nan
    summary = drawn(summarise(FakeResults(jobs), asked()))
    bad = sum(row["level"] >= 3 for row in jobs[0][1]["scores"])
    assert any(note.startswith(f"{bad:,} of ") and "levels 3, 4" in note for note in summary.notes)
    for _, tables in jobs:
        tables["scores"] = [{**row, "value": np.nan} for row in tables["scores"]]
    summary = summarise(FakeResults(jobs), asked())
    assert "by_level" not in summary.figures
