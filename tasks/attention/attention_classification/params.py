"""What the stages of `attention_classification` take and write: parameters, tables, the stages. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.attention.learning.params import PERFORMANCE, check_positive
from tasks.attention.learning.runs import Kind
from tasks.attention.texts.plan import TextTokensParams

Split = Literal["val", "train"]
ProxyName = Literal["px", "logistic"]
SPLITS: tuple[Split, ...] = ("val", "train")


@dataclass(frozen=True, kw_only=True)
class ClassifierParams(TextTokensParams):
    """The documents, the classifier's sizes and how it is trained: what all stages that use a trained one share."""

    embedding: int = 300
    hidden: int = 256
    intermediate: int = 256
    pretrained_embeddings: bool = False
    """Begin from the word vectors that were given, where a word has one (quirk C1)."""
    batch_size: int = 32
    learning_rate: float = 1e-3
    """Of Adam, constant."""
    stacked: bool = False
    """Whether several runs were trained together; their numbers are those of separate runs up to rounding."""

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "embedding", "hidden", "intermediate", "batch_size", "learning_rate")


@dataclass(frozen=True, kw_only=True)
class TrainParams(ClassifierParams):
    """One run, or a block of runs that are trained together."""

    runs: tuple[str, ...]
    """normal-20, uniform-12, …"""
    saves: tuple[int, ...]
    """Updates after which weights are kept; the last is the length of the training."""
    curve_points: int = 100

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "curve_points")
        if not self.runs or not self.saves:
            raise ValueError("a training needs at least one run and one checkpoint")


@dataclass(frozen=True, kw_only=True)
class EvaluateParams(ClassifierParams):
    """One checkpoint of one run."""

    kind: Kind
    seed: int
    step: int
    """Updates that the checkpoint holds."""
    quantities: tuple[str, ...]
    """What is kept of each position: alpha, beta, delta."""
    splits: tuple[Split, ...] = SPLITS


@dataclass(frozen=True, kw_only=True)
class DeltaParams(ClassifierParams):
    """Delta of the gold run at the checkpoints that its performance chooses."""

    seed: int
    """Of the gold run."""
    steps: tuple[int, ...]
    """All checkpoints, among which it chooses."""
    splits: tuple[Split, ...] = SPLITS


@dataclass(frozen=True, kw_only=True)
class EmbeddingProxyParams(TextTokensParams):
    """The averaged-embedding proxy (attention_dynamics 2.6)."""

    epochs: int = 60
    width: int = 256
    batch_size: int = 64
    learning_rate: float = 1.5e-4
    """Of Adam, constant, on the summed loss of a batch."""
    seed: int = 0
    """Of weights and order; the published one had none."""
    splits: tuple[Split, ...] = SPLITS

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "epochs", "width", "batch_size", "learning_rate")


@dataclass(frozen=True, kw_only=True)
class LogisticProxyParams(TextTokensParams):
    """The logistic regression on token frequencies (attention_dynamics 2.6)."""

    strengths: tuple[float, ...]
    """C of scikit-learn, inverse strengths of the L2 penalty, rising."""
    splits: tuple[Split, ...] = SPLITS


_KIND = column("kind", pa.string(), "normal, or uniform: attention frozen to one over the length")
_SEED = column("seed", pa.int64(), "seed of first weights and order of documents")

TRAINING = TableSpec(
    schema=pa.schema(
        [
            _KIND,
            _SEED,
            column("step", pa.int64(), "updates done"),
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
            column("at", pa.float64(), "px: passes over the training documents; logistic: C"),
            column("part", pa.string(), "which test documents: all, or one half, a or b"),
            column("metric", pa.string(), "loss: mean binary cross entropy, nats a document; accuracy: a fraction"),
            column("value", pa.float64(), "its value on the test documents"),
            column("chosen", pa.bool_(), "whether this epoch or C was chosen on this part (b: nothing is)"),
        ]
    ),
    key=("proxy", "at", "part", "metric"),
    doc="How each proxy does at each epoch or C, and which one its numbers come from.",
)

GPU_IF_ANY = Resources(num_cpus=1, num_gpus=1)

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
    function="tasks.attention.attention_classification.embedding_proxy:embedding_proxy",
    params=EmbeddingProxyParams,
    tables={"proxies": PROXIES},
    resources=GPU_IF_ANY,
    artifact=True,
)
LOGISTIC_PROXY = Stage(
    name="classifier_logistic_proxy",
    function="tasks.attention.attention_classification.logistic_proxy:logistic_proxy",
    params=LogisticProxyParams,
    tables={"proxies": PROXIES},
    artifact=True,
)
