"""Decoding and evaluation of windows as the stage `squad_windows` writes them, of the builtin questions.

Letters: N windows, T tokens.
"""

from typing import Any

import numpy as np
import pytest
import torch

from metrics.n_best import n_best_list
from metrics.spans import best_spans, legacy_spans, null_scores
from metrics.squad import Scorer
from orchestrator.experiment import Context
from tasks.squad.decoding import decode, legacy_decode
from tasks.squad.evaluation import score_rows
from tasks.squad.questions.plan import QuestionOptions, windows_job
from tasks.squad.questions.prepare import squad_windows
from tasks.squad.questions.windows import Windows, open_windows

T = 96


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> Windows:
    lengths: dict[str, Any] = {"max_length": T, "doc_stride": 32, "max_query_length": 24}
    job = windows_job(QuestionOptions(dataset="builtin", train_limit=2, dev_limit=80, **lengths), "builtin")
    directory = tmp_path_factory.mktemp("windows")
    squad_windows(job.params, Context(artifact=directory, paths=job.paths))
    found = open_windows(directory, "dev")
    assert len(found) > len(found.questions.ids)  # some questions have several windows
    return found


def scored(windows, predictions):
    rows = score_rows(
        windows.questions.paragraph, windows.paragraphs.articles, predictions, Scorer(windows.questions.answers)
    )
    return {(row["part"], row["metric"]): row["value"] for row in rows}


@pytest.mark.parametrize(("n_best", "longest", "threshold"), [(20, 30, 0.0), (5, 8, -1.0)])
def test_predictions_are_the_first_of_the_list_of_best_answers(windows, n_best, longest, threshold):
    batch = windows.batch(np.arange(len(windows)), pad_to=T)
    starts, ends = torch.randn(2, len(windows), T, generator=torch.Generator().manual_seed(n_best)) * 3
    spans = best_spans(starts, ends, batch.max_context, batch.allowed, longest, n_best)
    found = decode(windows, *spans, null_scores(starts, ends), threshold)
    assert found.best_text is not None
    assert found.null_odds is not None
    for q in range(len(windows.questions.ids)):
        own = np.flatnonzero(windows.question == q)
        listed = n_best_list(
            starts[own].numpy(),
            ends[own].numpy(),
            batch.max_context[own].numpy(),
            batch.allowed[own].numpy(),
            lambda w, a, b, own=own: windows.text(own[w], a, b),
            longest=longest,
            n_best=n_best,
        )
        best = next(one for one in listed if one.text)
        null = next(one for one in listed if not one.text)
        assert found.best_text[q] == best.text
        assert found.null_odds[q] == null.score - best.score
        assert found.text[q] == ("" if null.score - best.score > threshold else best.text)
    metrics = scored(windows, found)
    assert metrics["all", "exact"] <= metrics["all", "best_exact"] < 100


def test_logits_of_the_labels_give_full_marks(windows):
    batch = windows.batch(np.arange(len(windows)))
    starts, ends = torch.zeros(2, *batch.input_ids.shape)
    starts.scatter_(1, batch.start[:, None], 10.0)
    ends.scatter_(1, batch.end[:, None], 10.0)
    # Every answer is read where it has most context; the null of the windows without it does not count against it.
    found = decode(windows, *best_spans(starts, ends, batch.max_context, batch.allowed, T), null_scores(starts, ends))
    metrics = scored(windows, found)
    for name in ("exact", "f1", "has_exact", "no_exact", "forced_has_exact", "best_f1", "cross_exact"):
        assert metrics["all", name] == 100
    assert metrics["all", "null_average_precision"] == pytest.approx(100)
    assert metrics["all", "f1_se"] == 0
    # As published every window decides by itself, so the sure null of the first window stands against the answer.
    spans = legacy_spans(starts, ends, batch.context_start, batch.context_end, T)
    published = legacy_decode(windows, *spans, null_scores(starts, ends), spans.start > 0)
    assert published.null_odds is None
    metrics = scored(windows, published)
    assert metrics["all", "no_exact"] == 100
    assert metrics["all", "has_exact"] < 100
    first = {int(q): n for n, q in reversed(list(enumerate(windows.question)))}
    assert [bool(text) for text in published.text] == [bool(windows.start[n]) for n in first.values()][::-1]
