"""What the two stages of `glue_depth` take and write: their parameters, their tables, the stages themselves.

Light on purpose (no torch): the plan imports it. `FROZEN` trains linear heads on a frozen encoder, all depths and head
seeds of one encoder in one job; `FINETUNED` trains everything, one depth and seed a job (transient_chaos 3.2, 3.3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.encoders.params import EncoderParams, require


@dataclass(frozen=True, kw_only=True)
class _Common(EncoderParams):
    """What both stages share."""

    task: str
    """GLUE task, a key of `tasks.data.examples.TASKS`."""
    max_length: int = 64
    """Tokens an example at most."""
    batch_size: int = 8
    """Examples a training step; the last step of an epoch may have fewer."""
    epochs: int = 3
    """Passes over the training set."""
    learning_rate: float
    """Highest learning rate."""
    schedule: Literal["legacy", "linear"]
    """`legacy`: lr * 0.9995^step, without a floor; `linear`: to zero over all steps."""
    warmup: int = 0
    """Steps of linear warm-up from zero (`linear` only)."""
    optimiser: Literal["adamw", "hf_adamw"]
    """torch's AdamW, or the old Hugging Face one (see `optimisers`)."""
    weight_decay: float = 0.0
    """Decoupled weight decay, not on biases and LayerNorm gains."""
    clip: float | None = 1.0
    """Largest total gradient norm, of each head where heads are trained together; None or 0: off."""
    dropout: float = 0.1
    """Dropout before the head."""
    train_limit: int | None = None
    """Training examples that the tokens job drew; None: all."""
    dev_limit: int | None = None
    """Examples of each evaluation split that the tokens job drew; None: all."""
    curve_points: int = 100
    """Training-curve points a run at most."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("batch_size", "epochs", "max_length"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("train_limit", "dev_limit"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "1 or more, or None")
        for name in ("warmup", "curve_points", "weight_decay", "learning_rate"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(self.clip is None or self.clip >= 0, "clip", self.clip, "0 or more, or None")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "at least 0 and below 1")
        require(not (self.warmup and self.schedule == "legacy"), "warmup", self.warmup, "0 with schedule legacy")


@dataclass(frozen=True, kw_only=True)
class FrozenParams(_Common):
    """One encoder with frozen weights; a linear head for each depth and head seed (transient_chaos 3.3, 3.7)."""

    depths: tuple[int, ...]
    """Numbers of layers, ascending."""
    seeds: tuple[int, ...]
    """Head seeds: each has its own head initialisation, data order and dropout, the same at all depths."""
    learning_rate: float = 1e-3
    schedule: Literal["legacy", "linear"] = "legacy"
    optimiser: Literal["adamw", "hf_adamw"] = "adamw"

    def __post_init__(self):
        super().__post_init__()
        ascending = all(a < b for a, b in pairwise(self.depths))
        require(
            bool(self.depths) and ascending and self.depths[0] >= 0, "depths", self.depths, "ascending numbers from 0"
        )
        require(bool(self.seeds) and len(set(self.seeds)) == len(self.seeds), "seeds", self.seeds, "distinct seeds")


@dataclass(frozen=True, kw_only=True)
class FinetunedParams(_Common):
    """One encoder of one depth, trained together with its head from one seed (transient_chaos 3.2)."""

    depth: int
    """Number of layers."""
    seed: int
    """Seed of the head's initialisation, the data order and the dropout."""
    precision: Literal["float32", "bf16"] = "float32"
    """`bf16`: automatic mixed precision, on CUDA only."""
    learning_rate: float = 1e-6
    schedule: Literal["legacy", "linear"] = "linear"
    optimiser: Literal["adamw", "hf_adamw"] = "hf_adamw"

    def __post_init__(self):
        super().__post_init__()
        require(self.depth >= 0, "depth", self.depth, "0 or more")
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
