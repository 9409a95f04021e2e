"""GLUE metrics against slow references, their invariances and their limits."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from metrics.glue import METRICS, glue_metrics, primary_metric

settings.register_profile("small", max_examples=60, deadline=None)
settings.load_profile("small")


def one_hot(classes, n=2):
    return np.eye(n)[np.asarray(classes)]


def slow_counts(predicted, truth):
    pairs = list(zip(predicted, truth, strict=True))
    return tuple(sum(1 for pair in pairs if pair == (p, t)) for p, t in ((1, 1), (1, 0), (0, 1), (0, 0)))


def slow_matthews(predicted, truth):
    tp, fp, fn, tn = slow_counts(predicted, truth)
    below = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / math.sqrt(below) if below else 0.0


def slow_f1(predicted, truth):
    tp, fp, fn, _ = slow_counts(predicted, truth)
    return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0


def slow_pearson(x, y):
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    cov = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return cov / math.sqrt(math.fsum((a - mx) ** 2 for a in x) * math.fsum((b - my) ** 2 for b in y))


def slow_ranks(x):
    return [sum(1 for b in x if b < a) + (sum(1 for b in x if b == a) + 1) / 2 for a in x]


binary = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 1), min_size=n, max_size=n) for _ in range(2)))
)
scores = st.integers(3, 30).flatmap(
    lambda n: st.tuples(
        *(
            npst.arrays(np.float64, n, elements=st.integers(-50, 50).map(float)).filter(lambda v: np.ptp(v) > 0)
            for _ in range(2)
        )
    )
)


@given(binary)
def test_classes_against_counting(pair):
    predicted, truth = pair
    for kind in ("matthews", "accuracy_f1", "accuracy"):
        found = glue_metrics(kind, one_hot(predicted), truth)
        assert tuple(found) == METRICS[kind]
        accuracy = sum(p == t for p, t in zip(predicted, truth, strict=True)) / len(truth)
        assert found["accuracy"] == pytest.approx(accuracy)
    assert glue_metrics("matthews", one_hot(predicted), truth)["matthews"] == pytest.approx(
        slow_matthews(predicted, truth)
    )
    both = glue_metrics("accuracy_f1", one_hot(predicted), truth)
    assert both["f1"] == pytest.approx(slow_f1(predicted, truth))
    assert both["accuracy_and_f1"] == pytest.approx((both["accuracy"] + both["f1"]) / 2)


@given(scores)
def test_correlations_against_sums(pair):
    x, y = pair
    found = glue_metrics("correlation", x[:, None], y)
    assert found["pearson"] == pytest.approx(slow_pearson(x, y), abs=1e-12)
    assert found["spearman"] == pytest.approx(slow_pearson(slow_ranks(x), slow_ranks(y)), abs=1e-12)
    assert found["corr"] == pytest.approx((found["pearson"] + found["spearman"]) / 2)
    assert all(-1 <= value <= 1 for value in found.values())


@given(scores)
def test_spearman_sees_only_the_order(pair):
    x, y = pair
    bent = np.exp(x / 20) + x**3
    assert glue_metrics("correlation", bent, y)["spearman"] == pytest.approx(
        glue_metrics("correlation", x, y)["spearman"], abs=1e-12
    )


@given(binary, scores, st.randoms(use_true_random=False))
def test_the_order_of_examples_does_not_matter(classes, pair, random):
    for kind, predicted, truth in (
        ("matthews", one_hot(classes[0]), np.array(classes[1])),
        ("accuracy_f1", one_hot(classes[0]), np.array(classes[1])),
        ("correlation", pair[0][:, None], pair[1]),
    ):
        order = list(range(len(truth)))
        random.shuffle(order)
        moved, found = glue_metrics(kind, predicted[order], truth[order]), glue_metrics(kind, predicted, truth)
        assert moved == pytest.approx(found, abs=1e-12)


def test_limits():
    truth = np.array([0, 1, 1, 0, 1])
    assert glue_metrics("matthews", one_hot(truth), truth) == {"matthews": 1, "accuracy": 1}
    assert glue_metrics("matthews", one_hot(1 - truth), truth) == {"matthews": -1, "accuracy": 0}
    assert glue_metrics("accuracy_f1", one_hot(truth), truth, "_x") == {
        "accuracy_x": 1,
        "f1_x": 1,
        "accuracy_and_f1_x": 1,
    }
    assert glue_metrics("accuracy", one_hot([0, 1, 2], 3), [0, 1, 1]) == {"accuracy": pytest.approx(2 / 3)}
    line = np.arange(5.0)
    assert glue_metrics("correlation", 2 * line + 1, line) == pytest.approx({"pearson": 1, "spearman": 1, "corr": 1})
    assert glue_metrics("correlation", -line, line)["corr"] == pytest.approx(-1)
    tiny = glue_metrics("correlation", 1e-200 * line, line)  # squares underflow
    assert tiny["pearson"] == pytest.approx(1)


def test_degenerate_predictions_are_nan_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for constant in (np.full((7, 1), 0.1), np.full((7, 1), 1e30)):
            found = glue_metrics("correlation", constant, np.arange(7))
            assert all(math.isnan(v) for v in found.values())
        assert all(math.isnan(v) for v in glue_metrics("correlation", [[1.0]], [2.0]).values())
        assert glue_metrics("matthews", one_hot([1, 1, 1]), [0, 1, 1])["matthews"] == 0  # scikit-learn's convention
        assert glue_metrics("accuracy_f1", one_hot([0, 0]), [0, 0])["f1"] == 0
        for bad in (math.nan, math.inf):
            logits = one_hot([0, 1, 1])
            logits[1, 0] = bad
            assert all(math.isnan(v) for v in glue_metrics("accuracy_f1", logits, [0, 1, 1]).values())


@pytest.mark.parametrize(
    ("kind", "predictions", "labels", "message"),
    [
        ("accuracy", np.zeros((0, 2)), [], "no examples"),
        ("accuracy", np.zeros((3, 2)), [0, 1], "do not fit"),
        ("accuracy", np.zeros(3), [0, 1, 0], "do not fit"),
        ("accuracy", np.zeros((2, 1)), [0, 1], "at least 2 classes"),
        ("accuracy", np.zeros((2, 2)), [0, 2], "not all among the 2 classes"),
        ("correlation", np.zeros((2, 2)), [0, 1], "one score"),
        ("correlation", np.zeros((2, 1)), [0, math.nan], "not finite"),
        ("bleu", np.zeros((2, 1)), [0, 1], "choose one of matthews"),
    ],
)
def test_bad_input_is_refused(kind, predictions, labels, message):
    with pytest.raises(ValueError, match=message):
        glue_metrics(kind, predictions, labels)


def test_each_kind_has_its_primary_metric():
    assert {kind: primary_metric(kind) for kind in METRICS} == {
        "matthews": "matthews",
        "accuracy": "accuracy",
        "accuracy_f1": "accuracy_and_f1",
        "correlation": "corr",
    }
    with pytest.raises(ValueError, match="no kind"):
        primary_metric("bleu")
