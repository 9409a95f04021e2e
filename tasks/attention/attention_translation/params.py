"""What the stages of `attention_translation` take and write: parameters, tables, the stages. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.attention.learning.params import PERFORMANCE, check_positive
from tasks.attention.learning.runs import Kind, complete
from tasks.attention.learning.scores import TRAIN, VAL
from tasks.attention.pairs.plan import SubwordPairsParams

Split = Literal["val", "train"]
SPLITS: tuple[Split, ...] = (VAL, TRAIN)
PAIRS, TRAINING_JOB = "pairs", "training"
"""What stages call the data and the training among their needs."""
BEST = "best"


def check_splits(splits: tuple[Split, ...]) -> None:
    """Refuse splits that are missing, repeated or not in their order.

    Raises:
        ValueError: with what was given.
    """
    if not splits or tuple(split for split in SPLITS if split in splits) != splits:
        raise ValueError(f"splits is {' '.join(splits) or 'empty'}; give val, train or both, in this order")


def check_beams(beams: int, max_length: int) -> None:
    """Refuse a beam search that says nothing.

    Raises:
        ValueError: with both numbers.
    """
    if beams < 0 or max_length < 2:
        raise ValueError(f"beams {beams} and max_length {max_length}; expected at least 0 and 2")


@dataclass(frozen=True, kw_only=True)
class TranslatorParams(SubwordPairsParams):
    """The pairs, the translator's sizes and how it is trained: what all stages that use a trained one share."""

    hidden: int = 256
    layers: int = 2
    dropout: float = 0.5
    batch_size: int = 16
    """Pairs a step; the last batch of an epoch is short."""
    learning_rate: float = 1e-3
    """Of Adam, constant."""
    epochs: int
    stacked: bool = False
    """Whether several runs were trained together; their numbers are those of separate runs up to rounding."""

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "hidden", "layers", "batch_size", "learning_rate", "epochs")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; expected a share, 0 or more and below 1")


@dataclass(frozen=True, kw_only=True)
class TrainParams(TranslatorParams):
    """One run, or a block of runs that are trained together."""

    runs: tuple[str, ...]
    """normal-20, uniform-12, …"""
    saves: tuple[int, ...]
    """Updates after which weights are kept."""
    curve_points: int = 100
    """Points of the loss curve at most."""
    beams: int = 0
    """Of the beam search whose BLEU on val tells how good the best epoch is; 0: no BLEU."""
    max_length: int = 100
    """Tokens of a translation at most, bos included."""

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "curve_points")
        check_beams(self.beams, self.max_length)
        complete(self.saves)
        if not self.runs:
            raise ValueError("runs is empty; give one at least")


@dataclass(frozen=True, kw_only=True)
class EvaluateParams(TranslatorParams):
    """One checkpoint of one run."""

    kind: Kind
    seed: int
    step: int
    """Updates that the checkpoint holds."""
    quantities: tuple[str, ...]
    """What is kept of each position: alpha, beta, delta."""
    splits: tuple[Split, ...] = SPLITS
    beams: int = 0
    """Of the beam search whose translations BLEU judges; 0: no BLEU."""
    max_length: int = 100
    """Tokens of a translation at most, bos included."""

    def __post_init__(self):
        super().__post_init__()
        check_splits(self.splits)
        check_beams(self.beams, self.max_length)
        unknown = sorted(set(self.quantities) - {"alpha", "beta", "delta"})
        if unknown:
            raise ValueError(f"quantities has {unknown[0]!r}; choose from alpha beta delta")


@dataclass(frozen=True, kw_only=True)
class DeltaParams(TranslatorParams):
    """Delta of the gold run at the checkpoints that its performance chooses."""

    seed: int
    """Of the gold run."""
    steps: tuple[int, ...]
    """All checkpoints, among which it chooses."""
    performances: tuple[str, ...]
    splits: tuple[Split, ...] = SPLITS

    def __post_init__(self):
        super().__post_init__()
        check_splits(self.splits)
        complete(self.steps)


@dataclass(frozen=True, kw_only=True)
class ProxyParams(SubwordPairsParams):
    """The proxy from bags of words to bags of words (attention_dynamics 3.5)."""

    epochs: int = 30
    width: int = 256
    batch_size: int = 64
    learning_rate: float = 1e-3
    """Of Adam, constant, on the summed loss of a batch."""
    seed: int = 0
    """Of weights and order; the published one had none."""
    legacy_proxy_loss: bool = False
    """Train as published, on bos and padding of the targets too (quirk T1)."""
    splits: tuple[Split, ...] = SPLITS

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "epochs", "width", "batch_size", "learning_rate")
        check_splits(self.splits)


TRAINING = TableSpec(
    schema=pa.schema(
        [
            column("kind", pa.string(), "normal, or uniform: attention frozen to one over the source's length"),
            column("seed", pa.int64(), "seed of first weights, order of pairs and dropout"),
            column("step", pa.int64(), "updates done"),
            column("metric", pa.string(), "loss, val_accuracy (after each epoch), best_bleu (of the best epoch)"),
            column(
                "value",
                pa.float64(),
                "loss: mean since the point before, nats a target position; accuracy: percent; BLEU: points 0-100",
            ),
        ]
    ),
    key=("kind", "seed", "step", "metric"),
    doc="Training curves of the translators. Seconds are those of the job, in jobs.parquet.",
)
PROXIES = TableSpec(
    schema=pa.schema(
        [
            column("epoch", pa.int64(), "passes over the training pairs"),
            column("part", pa.string(), "which validation sentences: all, or one half, a or b"),
            column("loss", pa.float64(), "mean NLL on them, nats a target word (eos counted, bos not)"),
            column("chosen", pa.bool_(), "whether this epoch was chosen on this part (b: none is)"),
        ]
    ),
    key=("epoch", "part"),
    doc="How the bag-of-words proxy does after each epoch, and which epoch its word translations come from.",
)
GPU_IF_ANY = Resources(num_cpus=1, num_gpus=1)

TRAIN_TRANSLATOR = Stage(
    name="train_translator",
    function="tasks.attention.attention_translation.training:train_translator",
    params=TrainParams,
    tables={"training": TRAINING},
    resources=GPU_IF_ANY,
    artifact=True,
    checkpoints=True,
)
EVALUATE_TRANSLATOR = Stage(
    name="evaluate_translator",
    function="tasks.attention.attention_translation.evaluation:evaluate_translator",
    params=EvaluateParams,
    tables={"performance": PERFORMANCE},
    resources=GPU_IF_ANY,
    artifact=True,
    warm=True,
)
TRANSLATOR_DELTA = Stage(
    name="translator_delta",
    function="tasks.attention.attention_translation.evaluation:translator_delta",
    params=DeltaParams,
    resources=GPU_IF_ANY,
    artifact=True,
)
TRANSLATION_PROXY = Stage(
    name="translation_proxy",
    function="tasks.attention.attention_translation.proxy:translation_proxy",
    params=ProxyParams,
    tables={"proxies": PROXIES},
    resources=GPU_IF_ANY,
    artifact=True,
)
