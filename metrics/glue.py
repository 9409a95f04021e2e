"""GLUE's dev-set metrics, by the kind that a task asks for (Wang et al., GLUE, 2018, table 1).

| kind | metrics | primary |
|---|---|---|
| matthews (CoLA) | matthews, accuracy | matthews |
| accuracy (SST-2, QNLI, RTE, WNLI, MNLI) | accuracy | accuracy |
| accuracy_f1 (MRPC, QQP) | accuracy, f1 (positive class 1), accuracy_and_f1 (their mean) | accuracy_and_f1 |
| correlation (STS-B) | pearson, spearman, corr (their mean) | corr |

Dimensions: N examples, C outputs.
"""

import math
from typing import Any, Literal, get_args

import numpy as np
from scipy import stats
from sklearn.metrics import f1_score, matthews_corrcoef

Kind = Literal["matthews", "accuracy", "accuracy_f1", "correlation"]

METRICS: dict[str, tuple[str, ...]] = {
    "matthews": ("matthews", "accuracy"),
    "accuracy": ("accuracy",),
    "accuracy_f1": ("accuracy", "f1", "accuracy_and_f1"),
    "correlation": ("pearson", "spearman", "corr"),
}
_PRIMARY = {"matthews": "matthews", "accuracy": "accuracy", "accuracy_f1": "accuracy_and_f1", "correlation": "corr"}


def primary_metric(kind: str) -> str:
    """The one metric that a figure shows for a kind of task.

    Raises:
        ValueError: an unknown kind.
    """
    return _PRIMARY[_known(kind)]


def glue_metrics(kind: str, predictions: Any, labels: Any, suffix: str = "") -> dict[str, float]:
    """The metrics of `kind`, each in its natural unit (fractions in [0, 1], coefficients in [-1, 1]), names + `suffix`.

    Args:
        predictions: [N, C] logits, whose argmax is the predicted class (the first of equal ones); [N, 1] or [N] scores
            for `correlation`.
        labels: [N] classes, or scores for `correlation`.
        suffix: appended to each name, e.g. "_matched".

    Degenerate predictions: a prediction that is not finite makes every metric NaN. Constant scores have no correlation:
    Pearson, Spearman and their mean are NaN. Constant classes make Matthews 0 and F1 0 although both are 0/0: that is
    scikit-learn's convention, which the published numbers follow.

    Raises:
        ValueError: no examples, shapes that do not fit, labels that are not finite, or an unknown kind.
    """
    _known(kind)
    outputs = np.asarray(predictions, dtype=np.float64)
    truth = np.asarray(labels)
    if outputs.ndim == 1 and kind == "correlation":
        outputs = outputs[:, None]
    _check_shapes(kind, outputs, truth)
    if not np.isfinite(outputs).all():
        values = dict.fromkeys(METRICS[kind], math.nan)
    elif kind == "correlation":
        values = _correlation(outputs[:, 0], truth.astype(np.float64))
    else:
        values = _classification(kind, outputs.argmax(axis=1), truth)
    return {name + suffix: float(values[name]) for name in METRICS[kind]}


def _classification(kind: str, predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    accuracy = float(np.mean(predicted == truth))
    if kind == "matthews":
        constant = np.ptp(predicted) == 0 or np.ptp(truth) == 0  # scikit-learn says 0 too, sometimes with a warning
        matthews = 0.0 if constant else float(matthews_corrcoef(truth, predicted))
        return {"matthews": matthews, "accuracy": accuracy}
    if kind == "accuracy_f1":
        f1 = float(f1_score(truth, predicted, pos_label=1, average="binary", zero_division=0))  # pyright: ignore[reportArgumentType]
        return {"accuracy": accuracy, "f1": f1, "accuracy_and_f1": (accuracy + f1) / 2}
    return {"accuracy": accuracy}


def _correlation(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    # `ptp` and not the variance: the variance of a constant can come out as 1e-33, and scipy then only warns.
    if len(truth) < 2 or np.ptp(predicted) == 0 or np.ptp(truth) == 0:
        return {"pearson": math.nan, "spearman": math.nan, "corr": math.nan}
    ranks = [stats.rankdata(values) for values in (predicted, truth)]
    pearson, spearman = _pearson(predicted, truth), _pearson(*ranks)
    return {"pearson": pearson, "spearman": spearman, "corr": (pearson + spearman) / 2}


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    """r = sum (x - mean x)(y - mean y) / (|x - mean x| |y - mean y|), NaN when rounding leaves nothing of a deviation.

    Written out since scipy's version warns on nearly constant input, as depth 100 of a collapsed encoder gives it.
    """
    x, y = ((v - v.mean()) / np.abs(v - v.mean()).max() if np.ptp(v) > 0 else v * 0 for v in (x, y))
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    return max(-1.0, min(1.0, float(x @ y) / norm)) if norm > 0 else math.nan


def _check_shapes(kind: str, outputs: np.ndarray, truth: np.ndarray) -> None:
    if outputs.ndim != 2 or truth.ndim != 1 or len(outputs) != len(truth):
        raise ValueError(
            f"predictions of shape {outputs.shape} do not fit labels of shape {truth.shape}; give [N, C] and [N]"
        )
    if len(truth) == 0:
        raise ValueError("there are no examples; a metric needs at least one")
    if kind == "correlation" and outputs.shape[1] != 1:
        raise ValueError(f"correlation takes one score an example, not {outputs.shape[1]}; give [N, 1]")
    if kind != "correlation" and outputs.shape[1] < 2:
        raise ValueError(f"{kind} takes the logits of at least 2 classes, not shape {outputs.shape}; give [N, C]")
    if not np.isfinite(truth.astype(np.float64)).all():
        raise ValueError("some labels are not finite; leave those examples out")
    if kind != "correlation" and not np.isin(truth, np.arange(outputs.shape[1])).all():
        raise ValueError(f"labels {np.unique(truth)[:5]} are not all among the {outputs.shape[1]} classes")


def _known(kind: str) -> str:
    if kind not in _PRIMARY:
        raise ValueError(f"there is no kind {kind!r} of metric; choose one of {', '.join(get_args(Kind))}")
    return kind
