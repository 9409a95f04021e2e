"""The numbers of the SQuAD 2.0 evaluation for a set of predictions by question id, by the library's names."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from metrics.squad import Scorer, overall
from metrics.squad_thresholds import apply_threshold, best_threshold, library_best

NAMED = 5  # ids that a message shows


def evaluate(
    golds: Mapping[str, Sequence[str]],
    predictions: Mapping[str, str],
    null_odds: Mapping[str, float] | None = None,
    threshold: float = 0.0,
    *,
    missing: Literal["error", "leave_out"] = "error",
    legacy_thresholds: bool = False,
) -> dict[str, float]:
    """exact, f1, total, HasAns_*, NoAns_* (as `overall`), best_exact, best_exact_thresh, best_f1, best_f1_thresh.

    Predictions for questions that have no golds entry are left out, as the library does; `unknown` counts them.

    Args:
        golds: texts of the right answers; none = the question has no answer.
        predictions: a text for each question; with `null_odds`, the text if the question is answered.
        null_odds: a no-answer score for each prediction; None: 0 for all.
        threshold: a question whose no-answer score is above it is left unanswered; of the best ones it is no part.
        missing: whether questions without a prediction are an error, or are left out and counted in `missing`.
        legacy_thresholds: best ones by the library's algorithm (`library_best`), ties in the order of `null_odds`.

    Raises:
        ValueError: a question without prediction (unless left out) or without no-answer score; the ids are named.
    """
    unanswered = [name for name in golds if name not in predictions]
    if unanswered and missing == "error":
        raise ValueError(f"no prediction for {_some(unanswered)}; give one for each of the {len(golds)} questions")
    odds = dict.fromkeys(predictions, 0.0) if null_odds is None else null_odds
    unscored = [name for name in golds if name in predictions and name not in odds]
    if unscored:
        raise ValueError(f"no no-answer score for {_some(unscored)}; give one for each prediction")
    ids = [name for name in odds if name in golds and name in predictions]  # their order decides the library's ties
    texts = [predictions[name] for name in ids]
    scorer = Scorer([golds[name] for name in ids])
    na = np.array([odds[name] for name in ids], dtype=np.float64)
    raw = dict(zip(("exact", "f1"), scorer.scores(texts), strict=True))
    has_answer = scorer.has_answer
    kept = {name: apply_threshold(own, has_answer, na, threshold) for name, own in raw.items()}
    found = overall(kept["exact"], kept["f1"], has_answer)
    for name, own in raw.items():
        if legacy_thresholds:
            answered = np.array([bool(text) for text in texts], dtype=bool)
            best = library_best(own, has_answer, na, answered, sum(not answers for answers in golds.values()))
        else:
            best = best_threshold(own, has_answer, na)
        found |= {f"best_{name}": best.value, f"best_{name}_thresh": best.threshold}
    return found | {"missing": len(unanswered), "unknown": sum(name not in golds for name in predictions)}


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in ids[:NAMED])
    return f"{len(ids)} question(s): {shown}{', …' if len(ids) > NAMED else ''}"
