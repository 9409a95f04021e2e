"""From score rows to summary tables: every number against a plain recomputation."""

import numpy as np
import pytest

from metrics.intervals import mean_interval
from tasks.analysis.panels import of
from tasks.squad.published import ALWAYS_NULL
from tasks.squad.squad_probes.reduce import growing, summarise, unsolved
from tasks.squad.squad_probes.rows import LAYERS, LINE, choices, counts, last_epochs, over_runs, prepared, selected_runs
from tests.tasks.squad.squad_probes.planted_scores import asked, even, f1_of, results, scores_of
from tests.tasks.squad.squad_probes.probe_fakes import (
    BERT,
    HALVES,
    TABLES,
    FakeResults,
    encoder,
    evaluation,
    probe,
    training,
)


def test_fake_rows_have_just_the_declared_columns():
    random, who = np.random.default_rng(0), encoder(BERT, "pretrained")
    for job, tables in [evaluation(random, who), *training(random, who)]:
        assert set(tables) <= set(job.stage.tables)
        for name, rows in tables.items():
            assert list(rows[0]) == TABLES[name].schema.names, name


def test_runs_are_encoders_where_there_are_several_else_seeds_of_probes():
    found = results(
        (encoder(BERT, "pretrained"), [even(90, has, seed=seed) for seed, has in ((1, 10), (2, 14), (3, 12))]),
        (encoder(BERT, "random", 0), [even(90, 1, seed=1), even(90, 3, seed=2)]),
        (encoder(BERT, "random", 1), [even(90, 4, seed=1)]),
    )
    scores = scores_of(found)
    layers = of(over_runs(of(scores, part="all"), LAYERS), metric="has_f1").set_index("encoder")
    own = layers.loc["pretrained"]
    assert (own["mean"], own["runs"], own["over"]) == (pytest.approx(12), 3, "probe seeds")
    assert (own["low"], own["high"]) == pytest.approx(mean_interval([10, 14, 12])[1:])
    own = layers.loc["random"]
    # Encoder 0 has two probes, whose mean is one run beside encoder 1's.
    assert (own["mean"], own["runs"], own["over"]) == (pytest.approx(3), 2, "encoder seeds")
    assert own["low"] == pytest.approx(mean_interval([2, 4])[1])


def test_a_run_that_is_nan_is_counted_and_left_out():
    found = results((encoder(BERT, "pretrained"), [even(90, has, seed=seed) for seed, has in ((1, 10), (2, np.nan))]))
    row = of(over_runs(of(scores_of(found), part="all"), LAYERS), metric="has_f1").iloc[0]
    assert (row["mean"], row["runs"], row["nan"]) == (pytest.approx(10), 2, 1)
    assert np.isnan(row["low"])


def test_last_epochs_are_those_of_each_configuration_and_lbfgs_has_none():
    leads = [even(90, 1, epoch=epoch) for epoch in (1, 2)] + [even(90, 1, solver="lbfgs", strength=1e-3)]
    scores = last_epochs(scores_of(results((encoder(BERT, "pretrained"), leads))))
    assert set(scores[["solver", "epoch"]].itertuples(index=False, name=None)) == {("adam", 2), ("lbfgs", 0)}
    assert set(scores["configuration"]) == {"adam 3e-05", "lbfgs 0.001"}


def test_no_configuration_is_chosen_on_the_questions_that_it_is_scored_on():
    # `lucky` is best on the first half alone, `other` on the second alone: each is scored where it is bad.
    lucky = [(probe(3, strength=3e-5, seed=seed), (90, 40 + seed), (90, 10 + seed)) for seed in (1, 2)]
    other = [(probe(3, strength=3e-4, seed=seed), (90, 20 + seed), (80, 44 + seed)) for seed in (1, 2)]
    found = results((encoder(BERT, "pretrained"), lucky + other))
    scores, asked_for = scores_of(found), counts(found.table("baselines"))
    chosen = choices(scores).set_index("chosen_on")
    assert chosen.loc["first_half", "learning_rate"] == 3e-5
    assert chosen.loc["second_half", "learning_rate"] == 3e-4
    runs = selected_runs(scores, choices(scores), asked_for)
    (n1, h1), (n2, h2) = HALVES.values()
    values = of(runs, metric="has_f1").set_index("seed")["value"]
    # First half: scored with what was chosen on the second (3e-4), and the reverse.
    for seed in (1, 2):
        assert values[seed] == pytest.approx((h1 * (20 + seed) + h2 * (10 + seed)) / (h1 + h2))
    no = of(runs, metric="no_exact")["value"].iloc[0]
    assert no == pytest.approx(90.0)
    f1 = of(runs, metric="f1", seed=1)["value"].iloc[0]
    halves = [((n - h) * 90 + h * has) / n for n, h, has in ((n1, h1, 21), (n2, h2, 11))]
    assert f1 == pytest.approx((n1 * halves[0] + n2 * halves[1]) / (n1 + n2))
    table = of(over_runs(runs, [*LINE, "decoder", "level", "metric"]), metric="has_f1").iloc[0]
    assert (table["runs"], table["mean"]) == (2, pytest.approx(values.mean()))


def test_a_probe_without_randomness_goes_with_every_seed_of_the_other_half():
    adam = [(probe(0, seed=seed), (100, 50 + seed), (100, seed)) for seed in (1, 2, 3)]
    lbfgs = [(probe(0, solver="lbfgs", strength=0.1), (100, 10), (100, 20))]
    found = results((encoder(BERT, "pretrained"), adam + lbfgs))
    runs = selected_runs(scores_of(found), choices(scores_of(found)), counts(found.table("baselines")))
    (_, h1), (_, h2) = HALVES.values()
    # Adam was chosen on the first half (has_f1 of its seed on the second), lbfgs on the second (10 on the first).
    own = of(runs, metric="has_f1").set_index("seed")["value"].to_dict()
    assert own == {seed: pytest.approx((h1 * 10 + h2 * seed) / (h1 + h2)) for seed in (1, 2, 3)}


def test_halves_without_answerable_questions_have_no_weight():
    found = results((encoder(BERT, "pretrained"), [(probe(0), (90, 30), (90, np.nan))]))
    scores, asked_for = scores_of(found), counts(found.table("baselines"))
    # The f1 of the second half is NaN in these fakes; a real one without answerable questions has that of the others.
    scores.loc[(scores["part"] == "second_half") & (scores["metric"] == "f1"), "value"] = 90.0
    asked_for.loc["second_half", "answerable"] = 0.0
    runs = selected_runs(scores, choices(scores), asked_for)
    assert of(runs, metric="has_f1")["value"].tolist() == pytest.approx([30])


def test_what_did_not_converge_is_named():
    who = encoder(BERT, "pretrained")
    found = FakeResults(training(np.random.default_rng(0), who))
    left = unsolved(prepared(found.table("solutions")))
    assert left[["level", "l2", "head"]].to_numpy().tolist() == [[2, 1e-3, "end"]]
    growth = growing(prepared(found.table("weights"))).groupby("learning_rate")["growth"].max()
    assert growth[3e-5] == pytest.approx(100 * (1.6 / 1.3 - 1))
    assert growth[3e-4] == pytest.approx(100 * (1.008 / 1.004 - 1))


def test_sentences_say_what_came_out():
    flat = [even(100, 0, level=level, seed=seed) for level in range(3) for seed in (1, 2)]
    tuned = [even(100, 30.0 * level, level=level, seed=seed) for level in range(3) for seed in (1, 2)]
    found = results((encoder(BERT, "finetuned"), tuned), (encoder(BERT, "pretrained"), flat))
    summary = summarise(found, asked(encoders=("pretrained", "finetuned", "random")))
    best = of(summary.tables["selected"], metric="f1", encoder="finetuned").set_index("level")["mean"]
    assert best.idxmax() == 2
    assert best[2] == pytest.approx(f1_of(100, 60))
    onset = of(summary.tables["onset"], source="ours", configuration="selected", metric="f1").iloc[0]
    assert (onset["mean"], onset["low"], onset["high"], onset["reached"], onset["runs"]) == (1, 1, 1, 2, 2)
    notes = "\n".join(summary.notes)
    assert f"never answering scores {ALWAYS_NULL:.4f} %" in notes
    assert f"no level is better than never answering ({ALWAYS_NULL:.2f} %)" in notes
    assert "no scores of the encoder random" in notes
