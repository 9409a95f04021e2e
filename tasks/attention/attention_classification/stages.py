"""What the stages of `attention_classification` take and write: parameters, tables, the stages. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
from annotated_types import Gt, MinLen

from orchestrator.experiment import Stage, TableSpec, column
from tasks.attention.attention_classification.config import ClassifierOptions
from tasks.attention.learning.plan import GPU_IF_ANY, KIND, PERFORMANCE, STEP
from tasks.attention.learning.runs import Checkpoint, GoldRun, ProxyTraining, SplitOption, Trainings
from tasks.attention.texts.plan import TextTokensParams


@dataclass(frozen=True, kw_only=True)
class ClassifierParams(ClassifierOptions, TextTokensParams):
    """The documents, the classifier's sizes and how it is trained: what all stages that use a trained one share."""

    stacked: bool = False
    """Whether several runs were trained together; their numbers are those of separate runs up to rounding."""


@dataclass(frozen=True, kw_only=True)
class TrainParams(Trainings, ClassifierParams):
    """One run, or a block of runs that are trained together."""


@dataclass(frozen=True, kw_only=True)
class EvaluateParams(SplitOption, Checkpoint, ClassifierParams):
    """One checkpoint of one run."""


@dataclass(frozen=True, kw_only=True)
class DeltaParams(SplitOption, GoldRun, ClassifierParams):
    """Delta of the gold run at the checkpoints that its performance chooses."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingProxyParams(SplitOption, ProxyTraining, TextTokensParams):
    """The averaged-embedding proxy."""


@dataclass(frozen=True, kw_only=True)
class LogisticProxyParams(SplitOption, TextTokensParams):
    """The logistic regression on token frequencies."""

    strengths: Annotated[tuple[float, ...], Gt(0), MinLen(1)]
    """Inverse strengths C of the L2 penalty, rising."""


TRAINING = TableSpec(
    schema=pa.schema(
        [
            KIND,
            column("seed", pa.int64(), "random seed of first weights and order of documents"),
            STEP,
            column("loss", pa.float64(), "mean binary cross entropy since the point before, nats a document"),
            column("seconds", pa.float64(), "seconds of training so far, of all runs of the job together"),
        ]
    ),
    key=("kind", "seed", "step"),
    doc="Training curves of the classifiers.",
)
PROXIES = TableSpec(
    schema=pa.schema(
        [
            column("proxy", pa.string(), "px (averaged embeddings) or logistic (regression on token frequencies)"),
            column("at", pa.float64(), "px: training epochs; logistic: C"),
            column("part", pa.string(), "which test documents: all, or one half, a or b"),
            column("metric", pa.string(), "loss: mean binary cross entropy, nats a document; accuracy: a fraction"),
            column("value", pa.float64(), "its value on the test documents"),
            column("chosen", pa.bool_(), "whether this epoch or C was chosen on this part (b: nothing is)"),
        ]
    ),
    key=("proxy", "at", "part", "metric"),
    doc="How each proxy does at each epoch or C, and which one its numbers come from.",
)

TRAIN_CLASSIFIER = Stage(
    name="train_classifier",
    function="tasks.attention.attention_classification.training:train_classifier",
    params=TrainParams,
    tables={"training": TRAINING},
    resources=GPU_IF_ANY,
    artifact=True,
    checkpoints=True,
)
EVALUATE_CLASSIFIER = Stage(
    name="evaluate_classifier",
    function="tasks.attention.attention_classification.evaluation:evaluate_classifier",
    params=EvaluateParams,
    tables={"performance": PERFORMANCE},
    resources=GPU_IF_ANY,
    artifact=True,
    warm=True,
)
CLASSIFIER_DELTA = Stage(
    name="classifier_delta",
    function="tasks.attention.attention_classification.evaluation:classifier_delta",
    params=DeltaParams,
    resources=GPU_IF_ANY,
    artifact=True,
)
EMBEDDING_PROXY = Stage(
    name="classifier_embedding_proxy",
    function="tasks.attention.attention_classification.proxies:embedding_proxy",
    params=EmbeddingProxyParams,
    tables={"proxies": PROXIES},
    resources=GPU_IF_ANY,
    artifact=True,
)
LOGISTIC_PROXY = Stage(
    name="classifier_logistic_proxy",
    function="tasks.attention.attention_classification.proxies:logistic_proxy",
    params=LogisticProxyParams,
    tables={"proxies": PROXIES},
    artifact=True,
)

STAGES = (TRAIN_CLASSIFIER, EVALUATE_CLASSIFIER, CLASSIFIER_DELTA, EMBEDDING_PROXY, LOGISTIC_PROXY)
