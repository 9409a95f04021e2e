"""The stage `classifier_logistic_proxy`: a logistic regression on token frequencies (attention_dynamics 2.6, 8.11).

Its strength C is the first one with the highest accuracy on the test documents, as published; `beta-heldout` comes from
the C that half of them chose (quirk C4).

Dimensions: N documents, V vocabulary.
"""

import warnings
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from orchestrator.experiment import Context
from tasks.attention.attention_classification.evaluation import opened
from tasks.attention.attention_classification.params import LogisticProxyParams
from tasks.attention.attention_classification.proxy_scores import Chosen, best, mean_of, parts_of, write_proxy
from tasks.attention.ragged import Ragged
from tasks.attention.texts.artifact import open_texts
from tasks.data.errors import DataError

ITERATIONS = 1000


def logistic_proxy(params: LogisticProxyParams, context: Context) -> dict[str, list[dict[str, Any]]]:
    """Rows of `proxies`; beta of all items as an artifact of scores. The documents are in `context.needs["data"]`.

    Raises:
        DataError: all training documents have one label.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    texts, items = open_texts(context.needs["data"]), opened(context.needs["data"], params.splits)
    labels, judged = np.asarray(texts.train.labels), np.asarray(texts.test.labels)
    if len(set(labels.tolist())) < 2:
        raise DataError(f"all training documents of {texts.name} have the label {labels[0]}; give documents of both")
    train, test = (frequencies(part.tokens, len(texts.vocabulary)) for part in (texts.train, texts.test))
    parts = parts_of(len(texts.test))
    kept: dict[str, Chosen] = {}
    rows = []
    for strength in params.strengths:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the published limit; weak penalties reach it
            fitted = LogisticRegression(C=strength, solver="lbfgs", max_iter=ITERATIONS).fit(train, labels)
        right_N = fitted.predict(test) == judged
        for part, chosen_N in parts.items():
            accuracy = mean_of(right_N[chosen_N])
            rows.append({"proxy": "logistic", "at": strength, "part": part, "metric": "accuracy", "value": accuracy})
            best(kept, part, accuracy, strength, fitted.coef_[0])
    return {"proxies": write_proxy(context, items, kept, rows)}


def frequencies(tokens: Ragged, vocabulary: int) -> csr_matrix:
    """Token counts over the length of the document, begin and end included, float64 [N, V]."""
    rows = np.repeat(np.arange(len(tokens)), tokens.lengths)
    ones = np.ones(len(rows))
    found = csr_matrix((ones, (rows, np.asarray(tokens.values))), shape=(len(tokens), vocabulary))  # sums repetitions
    found.data /= np.repeat(tokens.lengths, np.diff(found.indptr))
    return found
