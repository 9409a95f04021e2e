"""Evaluation with a model's own head: against a plain loop over windows, and what is refused."""

import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from metrics.squad import question_scores
from models.checkpoints import directory_revision
from models.transformer import load_reader, load_transformer, n_layers
from orchestrator.experiment import Context
from tasks.squad.questions.windows import open_windows
from tasks.squad.squad_finetune import evaluate
from tasks.squad.squad_finetune.evaluate import squad_evaluate
from tests.tasks.squad.squad_finetune.conftest import save_reader


@pytest.fixture(scope="module")
def run(params, context, tmp_path_factory):
    directory = tmp_path_factory.mktemp("artifact")
    tables = squad_evaluate(params, dataclasses.replace(context, artifact=directory))
    return tables, pd.read_parquet(directory / "predictions.parquet"), directory


def value(tables, decoder, metric, part="all"):
    [found] = [
        row["value"]
        for row in tables["scores"]
        if (row["decoder"], row["metric"], row["part"]) == (decoder, metric, part)
    ]
    return found


def plain_predictions(params, windows_directory, checkpoint, n_best):
    """README 6 by loops over single windows, starts and ends: {question: (text, best text, null odds)}."""
    windows = open_windows(windows_directory, "dev")
    reader: Any = load_reader(checkpoint, dtype=torch.float64)
    best: dict[int, tuple[float, str]] = {}
    null: dict[int, float] = {}
    for w in range(len(windows)):
        batch = windows.batch([w])
        with torch.no_grad():
            out = reader(
                input_ids=batch.input_ids, token_type_ids=batch.token_type_ids, attention_mask=batch.attention_mask
            )
        s, e = out.start_logits[0].tolist(), out.end_logits[0].tolist()
        q = int(windows.question[w])
        null[q] = min(null.get(q, np.inf), s[0] + e[0])
        starts = sorted(range(len(s)), key=lambda i: -s[i])[:n_best]
        ends = sorted(range(len(e)), key=lambda i: -e[i])[:n_best]
        inside = range(int(windows.context_start[w]), int(windows.context_end[w]))
        for a in starts:
            for b in ends:
                fine = a in inside and b in inside and bool(batch.max_context[0, a])
                if fine and a <= b < a + params.max_answer_length and s[a] + e[b] > best.get(q, (-np.inf, ""))[0]:
                    best[q] = (s[a] + e[b], windows.text(w, a, b))
    found = {}
    for q, identifier in enumerate(windows.questions.ids):
        score, text = best.get(q, (0.0, "empty"))
        odds = null[q] - score
        found[identifier] = ("" if odds > 0 else text, text, odds)
    return found


@pytest.mark.parametrize(("decoder", "n_best"), [("exhaustive", None), ("n_best", 5)])
def test_predictions_are_those_of_a_plain_loop(run, params, windows, checkpoint, decoder, n_best):
    tables, predictions, _ = run
    expected = plain_predictions(params, windows, checkpoint, n_best)
    own = predictions[predictions["decoder"] == decoder].set_index("question_id")
    assert own.index.tolist() == list(expected)
    assert own["text"].tolist() == [text for text, _, _ in expected.values()]
    assert own["best_text"].tolist() == [text for _, text, _ in expected.values()]
    np.testing.assert_allclose(own["null_odds"], [odds for _, _, odds in expected.values()], atol=1e-9)
    answered = (own["text"] != "").mean()
    assert 0.05 < answered < 0.95  # else the comparison says little
    golds = open_windows(windows, "dev").questions.answers
    scores = [question_scores(gold, text) for gold, text in zip(golds, own["text"], strict=True)]
    assert value(tables, decoder, "exact") == pytest.approx(100 * np.mean([s[0] for s in scores]))
    assert value(tables, decoder, "f1") == pytest.approx(100 * np.mean([s[1] for s in scores]))


def test_the_size_of_batches_changes_nothing(run, params, context, monkeypatch, tmp_path):
    monkeypatch.setattr(evaluate, "BATCH_WINDOWS", 3)
    squad_evaluate(params, dataclasses.replace(context, artifact=tmp_path))
    again = pd.read_parquet(tmp_path / "predictions.parquet")
    pd.testing.assert_frame_equal(again, run[1], rtol=1e-9)


def test_right_logits_give_full_marks(params, context, windows, monkeypatch):
    """Logits that point at the labels: every question is right, by every decoder but the one that never answers."""
    data = open_windows(windows, "dev")

    def pointing(reader, input_ids, token_type_ids, attention_mask):
        batch = next(batches)
        start, end = (torch.zeros(input_ids.shape).scatter_(1, at[:, None], 9.0) for at in (batch.start, batch.end))
        return start, end

    order = np.argsort(data.lengths, kind="stable")
    batches = iter([data.batch(order[i : i + 32]) for i in range(0, len(order), 32)])
    monkeypatch.setattr(evaluate, "span_logits", pointing)
    # A window without the answer says no as loudly as one with it says yes: the smallest (README 6) null counts.
    tables = squad_evaluate(dataclasses.replace(params, max_answer_length=30), context)
    for decoder in ("exhaustive", "n_best"):
        assert value(tables, decoder, "exact") == 100
        assert value(tables, decoder, "has_f1") == value(tables, decoder, "no_exact") == 100
    unanswerable = 100 * (~data.questions.has_answer).mean()
    assert value(tables, "never", "exact") == value(tables, "never", "f1") == pytest.approx(unanswerable)


def test_the_official_files_hold_the_default_predictions(run):
    _, predictions, directory = run
    default = predictions[predictions["decoder"] == "exhaustive"]
    assert json.loads((directory / "predictions.json").read_text()) == dict(
        zip(default["question_id"], default["text"], strict=True)
    )
    odds = json.loads((directory / "null_odds.json").read_text())
    assert odds == dict(zip(default["question_id"], default["null_odds"], strict=True))
    assert set(predictions["decoder"]) == {"exhaustive", "n_best", "legacy"}


def test_the_list_of_best_answers_begins_with_what_n_best_predicts(run, params):
    _, predictions, directory = run
    listed = json.loads((directory / "nbest.json").read_text())
    own = predictions[predictions["decoder"] == "n_best"].set_index("question_id")
    assert set(listed) == set(own.index)
    for id_, answers in listed.items():
        assert 2 <= len(answers) <= params.n_best + 1
        assert sum(answer["probability"] for answer in answers) == pytest.approx(1)
        assert next(answer["text"] for answer in answers if answer["text"]) == own.loc[id_, "best_text"]
        best, null = (next(a for a in answers if bool(a["text"]) == some) for some in (True, False))
        odds = null["start_logit"] + null["end_logit"] - best["start_logit"] - best["end_logit"]
        assert odds == pytest.approx(own.loc[id_, "null_odds"], abs=1e-5)


def test_costs_are_counted(run, windows, checkpoint):
    data = open_windows(windows, "dev")
    [cost] = run[0]["costs"]
    assert (cost["questions"], cost["windows"]) == (len(data.questions.ids), len(data))
    assert cost["layer_passes"] == n_layers(load_transformer(checkpoint)) * len(data)


@pytest.mark.parametrize("architecture", ["albert", "distilbert", "roberta"])
def test_every_architecture_is_evaluated(architecture, params, windows, tmp_path):
    pad = open_windows(windows, "dev").meta["pad_token_id"]
    place = save_reader(tmp_path / "other", windows, architecture, pad_token_id=pad)
    own = dataclasses.replace(params, model="other", revision=directory_revision(place))
    tables = squad_evaluate(own, Context(needs={"windows": windows}, paths={"model": str(place)}))
    assert 0 <= value(tables, "exhaustive", "f1") <= 100


def refuse(params, windows, place) -> str:
    own = dataclasses.replace(params, model=place.name, revision=directory_revision(place))
    with pytest.raises(ValueError) as caught:
        squad_evaluate(own, Context(needs={"windows": windows}, paths={"model": str(place)}))
    return str(caught.value)


def test_a_model_that_does_not_fit_is_refused(params, windows, checkpoint, tmp_path):
    load_transformer(checkpoint).save_pretrained(tmp_path / "bare")
    assert "bare has no span head (qa_outputs)" in refuse(params, windows, tmp_path / "bare")
    few = save_reader(tmp_path / "few", windows, vocab_size=50)
    assert "few has 50; give its tokenizer" in refuse(params, windows, few)
    short = save_reader(tmp_path / "short", windows, positions=40)
    assert "short has 40 positions; give a smaller length" in refuse(params, windows, short)
    with pytest.raises(ValueError, match="encoder is 'pretrained': give finetuned"):
        dataclasses.replace(params, encoder="pretrained")
    with pytest.raises(ValueError, match=r'context\.needs has no "windows"'):
        squad_evaluate(params, Context())


def test_logits_that_are_not_finite_are_an_error_with_the_question(params, context, monkeypatch):
    def broken(reader, input_ids, *_):
        return (torch.full(input_ids.shape, torch.nan),) * 2

    monkeypatch.setattr(evaluate, "span_logits", broken)
    with pytest.raises(ValueError, match=r"is not a number to compare, first of window 0 \(question"):
        squad_evaluate(params, context)
