"""Rows of scores of one set of predictions: over all questions, and over two halves of the articles.

README 7 says what the scores are. Halves are there for thresholds: one chosen on the questions that it is scored on is
optimistic (`best_…`), one chosen on the other half is not (`cross_…`).

Letters: Q questions, P paragraphs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from metrics.intervals import clustered_standard_error
from metrics.squad import Scorer, overall, percent
from metrics.squad_thresholds import apply_threshold, best_threshold, null_average_precision
from tasks.analysis.runs import second_of_two_halves
from tasks.squad.decoding import Predictions
from tasks.squad.scores import HALVES

Array = np.ndarray


def score_rows(
    paragraph_Q: Array, articles: Sequence[str], predictions: Predictions, scorer: Scorer
) -> list[dict[str, Any]]:
    """Rows {"part", "metric", "value"}; parts and metrics are those of `tasks.squad.scores`.

    Predictions of the published decoding have no null_odds: their rows are those of `plain_metrics` and the standard
    errors.

    Args:
        paragraph_Q: index of each question's paragraph.
        articles: the article of each paragraph.
        scorer: of the golds of these questions; it remembers what it has scored, so keep it for all configurations.
    """
    second = second_half(paragraph_Q, articles)
    where = {"all": np.ones(len(second), dtype=bool), HALVES[0]: ~second, HALVES[1]: second}
    exact, f1 = scorer.scores(predictions.text)
    has_answer = scorer.has_answer
    found = {part: plain_metrics(exact[own], f1[own], has_answer[own]) for part, own in where.items()}
    if predictions.best_text is not None and predictions.null_odds is not None:
        forced = dict(zip(("exact", "f1"), scorer.scores(predictions.best_text), strict=True))
        odds = np.asarray(predictions.null_odds)
        for part, own in where.items():
            found[part] |= _forced_metrics({n: x[own] for n, x in forced.items()}, has_answer[own], odds[own])
        for name, raw in forced.items():
            kept = cross_scores(raw, has_answer, odds, second)
            for part, own in where.items():
                found[part][f"cross_{name}"] = percent(kept[own])
    for name, scores in (("exact", exact), ("f1", f1)):
        found["all"][f"{name}_se"] = clustered_standard_error(100 * scores, paragraph_Q)
    return [
        {"part": part, "metric": metric, "value": float(value)}
        for part, metrics in found.items()
        for metric, value in metrics.items()
    ]


def plain_metrics(exact_Q: Array, f1_Q: Array, has_answer_Q: Array) -> dict[str, float]:
    """exact, f1, has_exact, has_f1 and no_exact, in percent."""
    found = overall(exact_Q, f1_Q, has_answer_Q)
    return {
        "exact": found["exact"],
        "f1": found["f1"],
        "has_exact": found["HasAns_exact"],
        "has_f1": found["HasAns_f1"],
        "no_exact": found["NoAns_exact"],
    }


def _forced_metrics(forced: dict[str, Array], has_answer: Array, odds: Array) -> dict[str, float]:
    found = {f"forced_has_{name}": percent(raw[has_answer]) for name, raw in forced.items()}
    for name, raw in forced.items():
        best = best_threshold(raw, has_answer, odds)
        found |= {f"best_{name}": best.value, f"best_{name}_threshold": best.threshold}
    return found | {"null_average_precision": 100 * null_average_precision(has_answer, odds)}


def cross_scores(scores_Q: Array, has_answer_Q: Array, odds_Q: Array, second_Q: Array) -> Array:
    """Scores [Q] of each half under the threshold that is best on the other one; NaN where the other one is empty."""
    kept = np.full(len(odds_Q), np.nan)
    for own in (second_Q, ~second_Q):
        if own.any() and not own.all():
            chosen = best_threshold(scores_Q[~own], has_answer_Q[~own], odds_Q[~own])
            kept[own] = apply_threshold(scores_Q[own], has_answer_Q[own], odds_Q[own], chosen.threshold)
    return kept


def second_half(paragraph_Q: Array, articles: Sequence[str]) -> Array:
    """bool [Q]: the question's article, or its paragraph if there is one article only, is of the second half."""
    names = np.unique(np.asarray(articles, dtype=object).astype(str), return_inverse=True)[1]
    article_Q = names[paragraph_Q]
    return second_of_two_halves(article_Q if len(np.unique(article_Q)) > 1 else paragraph_Q)
