"""Exact match and F1 of answers as the SQuAD 2.0 evaluation defines them, for pairs, questions and data sets.

`tasks/squad/README.md` 7 tells the rules. Scores of a question are in 0..1, those of a data set in percent.

Letters: Q questions.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)

Array = np.ndarray


def normalise(text: str) -> str:
    """Lower case; no ASCII punctuation; a, an and the (whole words) made blanks; whitespace collapsed; in this order.

    The order shows: "the-end" becomes "theend", "A. B." becomes "b". Typographic quotes, dashes and accents stay, and
    equal letters in different Unicode forms differ, as published.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact(gold: str, text: str) -> int:
    """1 where the two are equal once normalised, else 0."""
    return int(normalise(gold) == normalise(text))


def f1(gold: str, text: str) -> float:
    """F1 of the multisets of tokens of the two, in 0..1; see `_token_f1`."""
    return _token_f1(Counter(normalise(gold).split()), Counter(normalise(text).split()))


def question_scores(golds: Sequence[str], text: str) -> tuple[int, float]:
    """Exact match and F1 of a prediction for a question: each the largest over the `counted_golds`."""
    own = normalise(text)
    tokens = Counter(own.split())
    counted = counted_golds(golds)
    return int(own in counted), max(_token_f1(Counter(gold.split()), tokens) for gold in counted)


def counted_golds(golds: Iterable[str]) -> list[str]:
    """The normalised golds that are not empty; [""] (no answer is right) where none is left."""
    return [gold for gold in map(normalise, golds) if gold] or [""]


def _token_f1(gold: Counter[str], text: Counter[str]) -> float:
    """2 p r / (p + r) of the shares of common tokens p in the text, r in the gold.

    Where either has no token: 1 if neither has one, else 0.
    """
    if not gold or not text:
        return float(gold == text)
    same = (gold & text).total()
    if not same:
        return 0.0
    precision, recall = same / text.total(), same / gold.total()
    return 2 * precision * recall / (precision + recall)


class Scorer:
    """Scores of many sets of predictions for the same questions: golds are normalised once, scored texts remembered.

    Layers, epochs and configurations mostly give texts that were scored before (`""` above all). What is remembered is
    bounded: above `most` texts (some 200 bytes each) all are forgotten.
    """

    def __init__(self, golds: Sequence[Sequence[str]], *, most: int = 300_000) -> None:
        self.has_answer: Array = np.array([bool(own) for own in golds], dtype=bool)
        """bool [Q]: the question has golds, whatever they are once normalised."""
        self._golds = [_distinct(counted_golds(own)) for own in golds]
        self._known: list[dict[str, tuple[int, float]]] = [{} for _ in golds]
        self._most = most
        self._size = 0

    def __len__(self) -> int:
        return len(self._golds)

    def scores(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """Exact match and F1 [Q], each in 0..1, of one text a question.

        Raises:
            ValueError: another number of texts than of questions.
        """
        if len(texts) != len(self):
            raise ValueError(f"{len(texts)} predictions for {len(self)} questions; give one for each, in their order")
        found = [self._score(i, text) for i, text in enumerate(texts)]
        both = np.array(found, dtype=np.float64).reshape(-1, 2)
        return both[:, 0].copy(), both[:, 1].copy()

    def _score(self, i: int, text: str) -> tuple[int, float]:
        known = self._known[i].get(text)
        if known is not None:
            return known
        own = normalise(text)
        golds = self._golds[i]
        tokens = Counter(own.split())
        scored = int(own in golds), max(_token_f1(gold, tokens) for gold in golds.values())
        if self._size >= self._most:
            self._known, self._size = [{} for _ in self._golds], 0
        self._known[i][text] = scored
        self._size += 1
        return scored


def _distinct(golds: Iterable[str]) -> dict[str, Counter[str]]:
    return {gold: Counter(gold.split()) for gold in golds}


def overall(exact_Q: Array, f1_Q: Array, has_answer_Q: Array) -> dict[str, float]:
    """Means in percent, and counts, of all questions and of those with and without an answer, by the published names.

    exact, f1, total, HasAns_exact, HasAns_f1, HasAns_total, NoAns_exact, NoAns_f1, NoAns_total. The means of a class
    without questions are NaN.

    Raises:
        ValueError: arrays of different shapes.
    """
    exact_Q, f1_Q, has_answer_Q = np.asarray(exact_Q), np.asarray(f1_Q), np.asarray(has_answer_Q, dtype=bool)
    if not exact_Q.shape == f1_Q.shape == has_answer_Q.shape or exact_Q.ndim != 1:
        raise ValueError(f"shapes {exact_Q.shape}, {f1_Q.shape} and {has_answer_Q.shape}; give three of the same [Q]")
    found: dict[str, float] = {}
    for name, own_Q in (("", np.ones_like(has_answer_Q)), ("HasAns_", has_answer_Q), ("NoAns_", ~has_answer_Q)):
        found[f"{name}exact"] = percent(exact_Q[own_Q])
        found[f"{name}f1"] = percent(f1_Q[own_Q])
        found[f"{name}total"] = int(own_Q.sum())
    return found


def percent(scores: Array) -> float:
    """100 times the mean; NaN of nothing."""
    return 100.0 * float(np.sum(scores)) / len(scores) if len(scores) else np.nan
