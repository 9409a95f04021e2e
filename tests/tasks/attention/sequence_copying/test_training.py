"""Training blocks of seeds: rows, streams, options, memory, bad input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.copying import training_bytes
from orchestrator.experiment import Context
from tasks.attention.sequence_copying.stages import TrainCopiesParams
from tasks.attention.sequence_copying.training import evaluation_data, initial_model, train_copies
from tasks.training.seeds import stream_seed

TINY = TrainCopiesParams(
    kind="distinct",
    symbols=6,
    length=4,
    hidden=8,
    batch=4,
    steps=8,
    evaluate_every=3,
    evaluation_sequences=5,
    seeds=(0, 1, 2),
)
MEASURES = ("accuracy", "attention_accuracy", "attention_late", "attention_early", "loss")


def by_run(params: TrainCopiesParams, context: Context | None = None) -> dict[tuple[int, int], dict]:
    return {(row["seed"], row["step"]): row for row in train_copies(params, context or Context())["copying"]}


def same(some: dict[tuple[int, int], dict], others: dict[tuple[int, int], dict]) -> None:
    """The runs and steps that both have are the same up to the order of sums."""
    both = some.keys() & others.keys()
    assert both
    for key in both:
        assert some[key]["loss"] == pytest.approx(others[key]["loss"], rel=1e-5)
        # Twenty-five positions: a tie that rounding breaks would change a share by a twenty-fifth.
        assert [some[key][name] for name in MEASURES[:4]] == [others[key][name] for name in MEASURES[:4]]


def test_every_seed_and_evaluation_is_one_row_named_by_its_step_as_published():
    rows = by_run(TINY)
    assert sorted(rows) == [(seed, step) for seed in (0, 1, 2) for step in (0, 3, 6)]
    assert all(row["updates"] == row["step"] + 1 for row in rows.values())
    assert all(0 <= row[name] <= 1 for row in rows.values() for name in MEASURES[:4])
    cells = 5 * (4 + 1)  # with the end symbol
    assert all(row["accuracy"] * cells == pytest.approx(round(row["accuracy"] * cells)) for row in rows.values())
    # Before the first update a model knows nothing: ln(V + 2) nats, up to what the initial weights say.
    assert rows[0, 0]["loss"] == pytest.approx(np.log(8), abs=0.3)


def test_a_seed_is_the_same_whoever_is_trained_beside_it():
    together = by_run(TINY)
    for block in ((1,), (2, 0)):
        same(by_run(replace(TINY, seeds=block)), together)


def test_evaluating_more_often_changes_nothing():
    same(by_run(replace(TINY, evaluate_every=1)), by_run(TINY))
    longer = by_run(replace(TINY, steps=11))
    same(longer, by_run(TINY))
    assert max(step for _, step in longer) == 9


def test_streams_of_training_and_evaluation_are_apart():
    names = [
        ("sequence_copying", "initialisation"),
        ("sequence_copying", "training"),
        ("sequence_copying", "evaluation", 0),
    ]
    assert len({stream_seed(0, *name) for name in names}) == 3
    assert not torch.equal(evaluation_data(TINY, 0, 0), evaluation_data(TINY, 0, 3))
    assert torch.equal(evaluation_data(TINY, 0, 3), evaluation_data(replace(TINY, evaluate_every=1), 0, 3))


def test_drawing_weights_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    model = initial_model(TINY, 0)
    assert torch.equal(before, torch.get_rng_state())
    uniform = initial_model(replace(TINY, attention="uniform"), 0)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), uniform.parameters(), strict=True))


def test_uniform_attention_is_uniform_in_evaluation_too():
    # All positions tie and the first counts: right at one of five (the published code evaluated learned attention).
    rows = by_run(replace(TINY, attention="uniform"))
    assert {row["attention_accuracy"] for row in rows.values()} == {1 / 5}


def test_without_attention_there_is_nothing_to_point():
    rows = by_run(replace(TINY, attention="none"))
    assert {row["attention_accuracy"] for row in rows.values()} == {None}
    assert all(np.isfinite(row["loss"]) for row in rows.values())


def test_both_directions():
    assert by_run(replace(TINY, bidirectional=True))[0, 6]["loss"] != by_run(TINY)[0, 6]["loss"]


def test_losses_that_are_not_finite_are_rows():
    rows = by_run(replace(TINY, learning_rate=1e20))
    assert len(rows) == 9
    assert any(not np.isfinite(row["loss"]) for row in rows.values())


def test_short_memory_trains_fewer_at_once_and_too_little_is_said():
    roomy = train_copies(TINY, Context())["trainings"][0]
    assert (roomy["runs"], roomy["at_once"], roomy["first_seed"]) == (3, 3, 0)
    model = initial_model(TINY, 0)
    least = 3 * 16 * roomy["parameters"] + training_bytes(model.config, 5, 5)  # weights of all, activations of one
    tight = Context(memory_bytes=2 * least)  # a stage may use half
    assert train_copies(TINY, tight)["trainings"][0]["at_once"] == 1
    same(by_run(TINY, tight), by_run(TINY))
    with pytest.raises(ValueError, match="3 models of 1,"):
        train_copies(TINY, Context(memory_bytes=2 * least - 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": ()}, "seeds is empty"),
        ({"seeds": (1, 1)}, "each value once"),
        ({"length": 6}, "length is 6: give less than 6"),
        ({"learning_rate": 0.0}, "learning-rate is 0"),
        ({"steps": 0}, "steps is 0"),
    ],
)
def test_bad_parameters(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **changes)


@pytest.mark.slow
def test_a_small_model_learns_distinct_symbols_with_attention_and_a_few_symbols_by_heart():
    params = replace(TINY, symbols=15, length=10, hidden=48, batch=48, steps=161, evaluate_every=80, learning_rate=4e-3)
    rows = by_run(replace(params, seeds=(0,)))
    assert rows[0, 0]["accuracy"] < 0.3
    assert rows[0, 160]["accuracy"] > 0.9
    assert rows[0, 160]["attention_accuracy"] > 0.8
