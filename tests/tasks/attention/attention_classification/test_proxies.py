"""Both proxies on the builtin topics: choice of epoch and strength, scores, against dense features."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from orchestrator.experiment import Context
from tasks.attention.attention_classification.proxies import (
    Chosen,
    best,
    embedding_proxy,
    frequencies,
    logistic_proxy,
)
from tasks.attention.attention_classification.stages import EmbeddingProxyParams, LogisticProxyParams
from tasks.attention.learning.scores import read_scores
from tasks.attention.ragged import Ragged
from tasks.attention.texts.stages import open_texts
from tasks.data.errors import DataError
from tests.tasks.attention.attention_classification.conftest import DATA, change

EMBEDDING = EmbeddingProxyParams(**DATA, epochs=5, width=8, batch_size=7, learning_rate=0.05)
LOGISTIC = LogisticProxyParams(**DATA, strengths=(1e-5, 0.5, 50.0, 1e4))


def proxied(stage, params, data, directory):
    directory.mkdir(exist_ok=True)
    rows = stage(params, Context(needs={"data": data}, artifact=directory))["proxies"]
    return rows, read_scores(directory)


def check_choice(rows, metric):
    """The rows marked as chosen are the first best of the whole test set and of its half a; returns where."""
    sign, chosen = (-1 if metric == "loss" else 1), {}
    for part in ("all", "a"):
        of_part = [row for row in rows if row["part"] == part]
        assert {row["metric"] for row in of_part} == {metric}
        (chosen[part],) = [row["at"] for row in of_part if row["chosen"]]
        assert chosen[part] == max(of_part, key=lambda row: (sign * row["value"], -row["at"]))["at"]
    assert not any(row["chosen"] for row in rows if row["part"] == "b")
    return chosen


def test_the_embedding_proxy_is_repeatable_and_its_beta_is_one_number_a_token(data, tmp_path):
    rows, scores = proxied(embedding_proxy, EMBEDDING, data, tmp_path / "one")
    chosen = check_choice(rows, "loss")
    assert [row["at"] for row in rows if row["part"] == "all"] == [1, 2, 3, 4, 5]
    again = proxied(embedding_proxy, EMBEDDING, data, tmp_path / "two")
    assert again[0] == rows
    for name in ("beta", "beta-heldout"):
        np.testing.assert_array_equal(again[1].quantity(name).values, scores.quantity(name).values)
    # Stopped at the epoch that was chosen, it is the same.
    short = proxied(embedding_proxy, change(EMBEDDING, epochs=int(chosen["all"])), data, tmp_path / "three")
    np.testing.assert_array_equal(short[1].quantity("beta").values, scores.quantity("beta").values)
    other = proxied(embedding_proxy, change(EMBEDDING, seed=1), data, tmp_path / "four")
    assert not np.array_equal(other[1].quantity("beta").values, scores.quantity("beta").values)
    texts, numbers = open_texts(data), {}
    beta = scores.quantity("beta")
    for item in range(12):
        sign = 2 * int(texts.test.labels[item]) - 1
        for token, value in zip(texts.test.tokens[item].tolist(), (sign * beta[item]).tolist(), strict=True):
            assert numbers.setdefault(token, value) == value


def test_the_logistic_proxy_is_scikit_learns_on_dense_features(data, tmp_path):
    rows, scores = proxied(logistic_proxy, LOGISTIC, data, tmp_path)
    chosen = check_choice(rows, "accuracy")
    texts = open_texts(data)

    def dense(documents):
        found = np.zeros((len(documents), len(texts.vocabulary)))
        for number in range(len(documents)):
            for token in documents.tokens[number]:
                found[number, token] += 1
            found[number] /= len(documents.tokens[number])
        return found

    np.testing.assert_array_equal(frequencies(texts.train.tokens, len(texts.vocabulary)).toarray(), dense(texts.train))
    for quantity, part in (("beta", "all"), ("beta-heldout", "a")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = LogisticRegression(C=chosen[part], max_iter=1000).fit(dense(texts.train), texts.train.labels)
        beta = scores.quantity(quantity)
        for item in range(12):
            plain = fitted.coef_[0][texts.test.tokens[item]] * (2 * int(texts.test.labels[item]) - 1)
            np.testing.assert_allclose(beta[item], plain, rtol=1e-3, atol=1e-4 * np.abs(fitted.coef_).max())


def test_one_label_alone_cannot_be_told_from_another(data, tmp_path):
    for file in data.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    np.save(tmp_path / "train.labels.npy", np.ones(40, np.int8))
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="have the label 1"):
        logistic_proxy(LOGISTIC, Context(needs={"data": tmp_path}, artifact=tmp_path / "out"))


def test_only_what_is_strictly_better_is_kept_and_any_number_beats_none():
    kept: dict[str, Chosen] = {}
    for at, goodness in enumerate([float("nan"), 0.5, 0.5, 0.7, float("nan"), 0.6]):
        best(kept, "all", goodness, float(at), np.zeros(1))
        assert kept["all"].at == [0, 1, 1, 3, 3, 3][at]


def test_frequencies_of_no_documents_are_none():
    assert frequencies(Ragged.of([], np.int32), 5).shape == (0, 5)
