"""What the two stages of `glue_depth` take and write: their parameters, their tables, the stages themselves.

Light on purpose (no torch): the plan imports it. `FROZEN` trains linear heads on a frozen encoder, all depths and head
seeds of one encoder in one job; `FINETUNED` trains everything, one depth and seed a job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import Limited, NotNegative, Positive, Several, ZeroOrMore, require
from tasks.data.plan import ExampleLimits
from tasks.encoders.params import EncoderParams
from tasks.transient_chaos.glue_depth.config import Batches, HeadDropout


@dataclass(frozen=True, kw_only=True)
class _Task(EncoderParams):
    task: str
    """GLUE task, a key of `tasks.data.examples.TASKS`."""


@dataclass(frozen=True, kw_only=True)
class _Optimisation(Limited):
    epochs: Positive = 3
    """Passes over the training set."""
    learning_rate: ZeroOrMore = 1e-3
    """Peak learning rate."""
    schedule: Literal["legacy", "linear"] = "legacy"
    """`legacy`: lr * 0.9995^step, without a floor; `linear`: to zero over all steps."""
    warmup: NotNegative = 0
    """Steps of linear warm-up from zero (`linear` only)."""
    optimiser: Literal["adamw", "hf_adamw"] = "adamw"
    """torch's AdamW, or the old Hugging Face one (see `optimisers`)."""
    weight_decay: ZeroOrMore = 0.0
    """Decoupled weight decay, not on biases and LayerNorm gains."""
    clip: ZeroOrMore | None = 1.0
    """Maximum total gradient norm, of each head where heads are trained together; None or 0: none."""


@dataclass(frozen=True, kw_only=True)
class Training(ExampleLimits, HeadDropout, _Optimisation, Batches):
    """How heads are trained."""

    curve_points: NotNegative = 100
    """Maximum number of training-curve points of a run."""

    def __post_init__(self):
        super().__post_init__()
        require(not (self.warmup and self.schedule == "legacy"), "warmup", self.warmup, "0 with schedule legacy")


@dataclass(frozen=True, kw_only=True)
class FrozenParams(Training, _Task):
    """One encoder with frozen weights; a linear head for each depth and head seed."""

    depths: tuple[int, ...]
    """Numbers of layers, ascending."""
    seeds: Several[int]
    """Head seeds: each has its own head initialisation, data order and dropout, the same at all depths."""

    def __post_init__(self):
        super().__post_init__()
        ascending = all(a < b for a, b in pairwise(self.depths))
        fine = bool(self.depths) and ascending and self.depths[0] >= 0
        require(fine, "depths", self.depths, "ascending numbers from 0")


@dataclass(frozen=True, kw_only=True)
class FinetunedParams(Training, _Task):
    """One encoder of one depth, trained together with its head from one seed."""

    depth: NotNegative
    """Number of layers."""
    seed: int
    """Seed of the head's initialisation, the data order and the dropout."""
    precision: Literal["float32", "bf16"] = "float32"
    """`bf16`: automatic mixed precision, on CUDA only."""
    learning_rate: ZeroOrMore = 1e-6
    schedule: Literal["legacy", "linear"] = "linear"
    optimiser: Literal["adamw", "hf_adamw"] = "hf_adamw"

    def __post_init__(self):
        super().__post_init__()
        require(not (self.precision == "bf16" and self.dtype == "float64"), "precision", "bf16", "float32 with float64")


_LEAD = (
    column("task", pa.string(), "GLUE task"),
    column("encoder", pa.string(), "where the encoder's weights came from: pretrained or random"),
    column("training", pa.string(), "frozen: only the head is trained; finetuned: everything is"),
)
_RUN = (
    column("depth", pa.int64(), "number of layers"),
    column("seed", pa.int64(), "seed of the head's initialisation, data order and dropout"),
)

SCORES = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            *_RUN,
            column("metric", pa.string(), "GLUE metric, or loss (mean over examples); MNLI: _matched, _mismatched"),
            column(
                "value", pa.float64(), "value on the dev set after training; NaN where undefined, e.g. constant scores"
            ),
        ]
    ),
    key=("task", "encoder", "training", "depth", "seed", "metric"),
    doc="Dev-set scores of every run.",
)
CURVES = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            *_RUN,
            column("step", pa.int64(), "training steps done"),
            column("epoch", pa.float64(), "training steps done over steps an epoch"),
            column("loss", pa.float64(), "mean training loss of the steps since the previous point"),
            column("learning_rate", pa.float64(), "learning rate of the last of these steps"),
        ]
    ),
    key=("task", "encoder", "training", "depth", "seed", "step"),
    doc="Training curves.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            *_LEAD,
            column("n_train", pa.int64(), "training examples"),
            column("n_dev", pa.int64(), "evaluation examples, all splits together"),
            column("n_depths", pa.int64(), "depths of the job"),
            column("max_depth", pa.int64(), "largest depth"),
            column("n_seeds", pa.int64(), "head seeds of the job"),
            column("layer_passes", pa.int64(), "forward layer applications to one sequence, counted while running"),
            column(
                "encoder_seconds", pa.float64(), "seconds in the encoder (training and evaluation where it is trained)"
            ),
            column(
                "head_seconds",
                pa.float64(),
                "seconds in training and evaluating heads; 0 where all is trained together",
            ),
            column("depth_blocks", pa.int64(), "blocks of depths whose features were in memory together"),
        ]
    ),
    key=("task", "encoder", "training", "max_depth", "n_depths", "n_seeds"),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"scores": SCORES, "curves": CURVES, "costs": COSTS}

FROZEN = Stage(
    name="glue_frozen",
    function="tasks.transient_chaos.glue_depth.frozen:frozen",
    params=FrozenParams,
    tables=TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
)
FINETUNED = Stage(
    name="glue_finetuned",
    function="tasks.transient_chaos.glue_depth.finetuned:finetuned",
    params=FinetunedParams,
    tables=TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
)
