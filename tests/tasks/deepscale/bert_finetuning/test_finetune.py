"""The stage `bert_finetune`: equal numbers however a batch is cut, each example evaluated once, divergence."""

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.deep_bert import DeepBertConfig
from models.deep_bert_files import load_deep_bert, save_deep_bert, to_hugging_face, unset_deep_bert
from orchestrator.experiment import Context
from tasks.deepscale.bert_finetuning.data import finetune_data, halves, length_batches, open_task, predict, score_rows
from tasks.deepscale.bert_finetuning.finetune import Run, bert_finetune, micro_batches
from tasks.deepscale.bert_finetuning.stages import DataParams, FinetuneParams
from tasks.deepscale.bert_finetuning.starting import needs_recompute, new_classifier

TASKS = ("same_topic", "continuation")
TINY = DeepBertConfig(layers=1, width=16, heads=2, intermediate=32, vocab_size=2000, max_length=48)


def params(task="same_topic", **changed):
    shared = {"model": "tiny", "revision": "x", "tokenizer": "builtin", "max_length": 48, "batch_size": 8, "epochs": 2}
    return FinetuneParams(**{"task": task, **shared, "learning_rate": 1e-3, "seed": 1000, **changed})


def numbers(tables):
    """Scores, losses and gradient norms, in order."""
    curves = [point[name] for point in tables["curves"] for name in ("loss", "gradient_norm", "rate")]
    return np.array([row["value"] for row in tables["scores"]] + curves)


@pytest.mark.parametrize("task", TASKS)
def test_accumulated_gradients_and_recomputed_layers_give_the_numbers_of_the_whole_batch(tiny_needs, task):
    exact = {"precision": "float64", "dropout": 0.0, "attention_dropout": 0.0, "epochs": 1}
    context = Context(needs=tiny_needs[task])
    whole = bert_finetune(params(task, **exact), context)
    parts = bert_finetune(params(task, **exact, micro_batch=3), context)
    np.testing.assert_allclose(numbers(parts), numbers(whole), rtol=0, atol=1e-10)
    # Just enough memory to run layers again, but not to keep what is in them.
    data = open_task(params(task), context)
    model = new_classifier(params(task, **exact), context, data)
    rows, longest = 8 * data.choices, int(data.train.lengths.max())
    least = next(n for n in range(2**17, 2**26, 2**16) if _fits(model, rows, longest, n))
    assert needs_recompute(model, rows, longest, least)
    with pytest.raises(ValueError, match="give a smaller --finetune-micro-batch"):
        needs_recompute(model, rows, longest, least - 2**16)
    small = bert_finetune(params(task, **exact), Context(needs=tiny_needs[task], memory_bytes=2 * least))
    assert small["finetunings"][0]["recomputed"]
    assert not whole["finetunings"][0]["recomputed"]
    np.testing.assert_allclose(numbers(small), numbers(whole), rtol=0, atol=1e-10)


def _fits(model, rows, tokens, budget):
    try:
        needs_recompute(model, rows, tokens, budget)
    except ValueError:
        return False
    return True


def test_a_run_depends_on_its_parameters_alone(tiny_needs):
    context = Context(needs=tiny_needs["continuation"])
    first = numbers(bert_finetune(params("continuation", epochs=1), context))
    torch.rand(7)
    assert np.array_equal(numbers(bert_finetune(params("continuation", epochs=1), context)), first)
    assert not np.array_equal(numbers(bert_finetune(params("continuation", epochs=1, seed=1001), context)), first)


def test_recomputed_layers_draw_the_same_dropout(tiny_needs):
    context = Context(needs=tiny_needs["same_topic"])
    given_ = params(precision="float64")
    data = open_task(given_, context)
    losses = []
    for again in (False, True):
        run = Run(params=given_, data=data, model=new_classifier(given_, context, data))
        run.model.bert.recompute(again)
        losses.append(torch.stack([run.take_step(np.arange(8), step) for step in range(2)]))
    torch.testing.assert_close(losses[1], losses[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_the_schedule_and_the_dropped_rest(tiny_needs, task):
    tables = bert_finetune(params(task, warmup=0.25), Context(needs=tiny_needs[task]))
    (end,) = tables["finetunings"]
    assert (end["status"], end["step"], end["steps"]) == ("finished", 8, 8)  # 37 examples: four whole batches of 8
    rates = [point["rate"] for point in tables["curves"]]
    np.testing.assert_allclose(rates, [5e-4, 1e-3, 1e-3, *(1e-3 * k / 6 for k in (5, 4, 3, 2, 1))])
    assert [point["epoch"] for point in tables["curves"]] == [k / 4 for k in range(1, 9)]
    assert end["n_dev"] == 21
    assert 0 <= end["padding"] < 1


@pytest.mark.parametrize(("task", "epochs"), [("same_topic", 30), ("continuation", 20)])
def test_examples_are_learned_by_heart(tiny_needs, task, epochs):
    exact = {"dropout": 0.0, "attention_dropout": 0.0, "epochs": epochs, "learning_rate": 5e-3, "curve_points": 10}
    losses = [
        point["loss"] for point in bert_finetune(params(task, **exact), Context(needs=tiny_needs[task]))["curves"]
    ]
    assert losses[-1] < 0.3 * losses[0]


def test_the_published_first_step_changes_nothing(tiny_needs):
    context = Context(needs=tiny_needs["same_topic"])
    for legacy in (True, False):
        given_ = params(legacy_first_step=legacy, warmup=0.5)
        run = Run(params=given_, data=(data := open_task(given_, context)), model=new_classifier(given_, context, data))
        before = run.model.head.weight.clone()
        run.take_step(np.arange(8), 0)
        assert torch.equal(run.model.head.weight, before) == legacy


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 4), st.integers(1, 300))
def test_batches_of_an_evaluation_have_every_example_once_and_fit(lengths, choices, positions):
    lengths = np.array(lengths)
    found = list(length_batches(lengths, choices, positions))
    assert sorted(np.concatenate(found)) == list(range(len(lengths)))
    assert all(len(b) == 1 or len(b) * choices * lengths[b].max() <= positions for b in found)


@given(st.integers(1, 40), st.integers(1, 50))
def test_micro_batches_have_every_example_of_the_batch_once(n, size):
    indices = np.random.default_rng(n).permutation(100)[:n]
    parts = micro_batches(indices, np.arange(100) % 7, size)
    assert sorted(np.concatenate(parts)) == sorted(indices)
    assert max(map(len, parts)) <= size


@pytest.mark.parametrize("task", TASKS)
def test_scores_count_every_example_once(tiny_needs, task):
    context = Context(needs=tiny_needs[task])
    data = open_task(params(task), context)
    model = new_classifier(params(task, precision="float64"), context, data)
    split = data.evals["dev"]
    logits = predict(model, split, "float64")
    model.eval()
    with torch.no_grad():
        alone = torch.cat(
            [model(*(x if k < 2 else x.bool() for k, x in enumerate(split.batch([i])))) for i in range(21)]
        )
    torch.testing.assert_close(logits, alone, rtol=0, atol=1e-10)
    rows = {(row["part"], row["metric"]): row["value"] for row in score_rows(data, {"dev": logits}, 1)}
    right = logits.argmax(dim=1).numpy() == split.labels
    first = halves(task, "dev", split)
    assert rows["all", "accuracy"] == pytest.approx(right.sum() / 21)
    assert first.sum() == 10
    assert rows["half_a", "accuracy"] * 10 + rows["half_b", "accuracy"] * 11 == pytest.approx(right.sum())


def test_a_run_that_diverges_is_an_outcome_with_its_step(tiny_needs):
    tables = bert_finetune(params(learning_rate=1e30, clip=0.0), Context(needs=tiny_needs["same_topic"]))
    (end,) = tables["finetunings"]
    assert end["status"] == "diverged"
    assert 1 <= end["step"] < end["steps"] == 8
    assert {row["epoch"] for row in tables["scores"]} == {1, 2}
    assert all(math.isnan(row["value"]) for row in tables["scores"] if row["epoch"] == 2)
    assert math.isnan(tables["curves"][-1]["loss"])
    assert tables["curves"][-1]["step"] == end["step"] + 1


def test_a_directory_of_the_librarys_bert_is_the_same_start(tiny_needs, tmp_path):
    needs = dict(tiny_needs["same_topic"])
    model = needs.pop("model")
    to_hugging_face(load_deep_bert(model)).save_pretrained(tmp_path / "hf")
    shutil.copytree(model, tmp_path / "ours")
    expected = numbers(bert_finetune(params(epochs=1), Context(needs=tiny_needs["same_topic"])))
    for place in ("hf", "ours"):
        context = Context(needs=needs, paths={"model": str(tmp_path / place)})
        np.testing.assert_allclose(numbers(bert_finetune(params(epochs=1), context)), expected, rtol=0, atol=1e-6)


def test_what_does_not_fit_is_refused(tiny_needs, tmp_path):
    context = Context(needs=tiny_needs["same_topic"])
    with pytest.raises(ValueError, match="37 training examples, fewer than one batch of 38"):
        bert_finetune(params(batch_size=38), context)
    with pytest.raises(ValueError, match="bf16 on cpu"):
        bert_finetune(params(precision="bf16"), context)
    with pytest.raises(ValueError, match="holds tokens of same_topic, not RTE"):
        bert_finetune(params("RTE"), context)
    with pytest.raises(ValueError, match="task is 'similarity': give a task of classes"):
        params("similarity")
    for change, message in (
        ({"max_length": 20}, "tiny has 20 positions: give --finetune-length 20"),
        ({"vocab_size": 50}, "has 2000 tokens, the model tiny 50: give its own with --finetune-tokenizer"),
        ({"token_types": 1}, "1 token type; pairs of texts need 2"),
    ):
        save_deep_bert(unset_deep_bert(replace(TINY, **change)), tmp_path)
        with pytest.raises(ValueError, match=message):
            bert_finetune(params(), Context(needs={**tiny_needs["same_topic"], "model": tmp_path}))


def test_the_report_of_the_data_knows_what_guessing_scores(tiny_needs):
    given_ = DataParams(task="continuation", tokenizer="builtin", max_length=48)
    rows = finetune_data(given_, Context(needs=tiny_needs["continuation"]))["data"]
    values = {(row["split"], row["metric"]): row["value"] for row in rows}
    data = open_task(given_, Context(needs=tiny_needs["continuation"]))
    most = np.bincount(data.train.labels).argmax()
    assert values["dev", "majority_accuracy"] == pytest.approx(np.mean(data.evals["dev"].labels == most))
    assert values["dev", "random_accuracy"] == 0.25
    assert (values["train", "examples"], values["dev", "examples"]) == (37, 21)
