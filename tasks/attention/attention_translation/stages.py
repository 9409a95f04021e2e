"""What the stages of `attention_translation` take and write: parameters, tables, the stages. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from orchestrator.limits import Positive
from tasks.attention.attention_translation.config import BeamSearch, ProxyLoss, TranslatorOptions
from tasks.attention.learning.plan import GPU_IF_ANY, KIND, PERFORMANCE, STEP
from tasks.attention.learning.runs import Checkpoint, GoldRun, PerformanceOption, ProxyTraining, SplitOption, Trainings
from tasks.attention.pairs.plan import SubwordPairsParams

PAIRS, TRAINING_JOB = "pairs", "training"
"""What stages call the data and the training among their needs."""
BEST = "best"


@dataclass(frozen=True, kw_only=True)
class TranslatorParams(TranslatorOptions, SubwordPairsParams):
    """The pairs, the translator's sizes and how it is trained: what all stages that use a trained one share."""

    epochs: Positive
    """Passes over the training set."""
    stacked: bool = False
    """Whether several runs were trained together; their numbers are those of separate runs up to rounding."""


@dataclass(frozen=True, kw_only=True)
class TrainParams(BeamSearch, Trainings, TranslatorParams):
    """One run, or a block of runs that are trained together; BLEU on val tells how good the best epoch is."""


@dataclass(frozen=True, kw_only=True)
class EvaluateParams(BeamSearch, SplitOption, Checkpoint, TranslatorParams):
    """One checkpoint of one run."""


@dataclass(frozen=True, kw_only=True)
class DeltaParams(SplitOption, PerformanceOption, GoldRun, TranslatorParams):
    """Delta of the gold run at the checkpoints that its performance chooses."""


@dataclass(frozen=True, kw_only=True)
class ProxyParams(SplitOption, ProxyLoss, ProxyTraining, SubwordPairsParams):
    """The proxy from bags of words to bags of words."""


TRAINING = TableSpec(
    schema=pa.schema(
        [
            KIND,
            column("seed", pa.int64(), "random seed of first weights, order of pairs and dropout"),
            STEP,
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
            column("epoch", pa.int64(), "training epochs"),
            column("part", pa.string(), "which evaluation sentences: all, or one half, a or b"),
            column("loss", pa.float64(), "mean NLL on them, nats a target word (eos counted, bos not)"),
            column("chosen", pa.bool_(), "whether this epoch was chosen on this part (b: none is)"),
        ]
    ),
    key=("epoch", "part"),
    doc="How the bag-of-words proxy does after each epoch, and which epoch its word translations come from.",
)

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

STAGES = (TRAIN_TRANSLATOR, EVALUATE_TRANSLATOR, TRANSLATOR_DELTA, TRANSLATION_PROXY)
