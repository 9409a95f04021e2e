"""The stages `squad_train` and `squad_train_report` as the plan sees them: parameters, tables. Imports no torch.

A training is cut into parts, jobs that follow one another: a part goes on from the artifact of the
one before, so what a killed sweep has finished is kept. No number depends on the cut. The artifact of the last part is
a checkpoint (config.json, model.safetensors, the tokenizer's files) that others want under the need name `model`.
"""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import AboveZero, Limited, NotNegative, Positive, ZeroOrMore, require
from tasks.encoders.transformer import TransformerParams
from tasks.squad.options import MixedPrecision
from tasks.squad.questions.plan import Dataset, DevQuestions, TrainQuestions, WindowSizes

STATE = "state.json"
"""The file of an artifact of `squad_train` that says how far it is and how the loss went."""


@dataclass(frozen=True, kw_only=True)
class SquadParams(DevQuestions, TrainQuestions, WindowSizes, Dataset, TransformerParams):
    """One encoder on one set of questions; the settings of the windows, which become columns."""


@dataclass(frozen=True, kw_only=True)
class _Optimisation(Limited):
    tokenizer_revision: str
    """Content of the tokenizer whose files are laid beside the weights."""
    seed: int = 42
    """Random seed of the span head, the data order and the dropout; of a `scratch` encoder also of its weights."""
    epochs: Positive = 3
    """Passes over the training windows."""
    batch_size: Positive = 8
    """Windows a step; the last step of an epoch may have fewer."""
    learning_rate: AboveZero = 3e-5
    """Peak learning rate; it decays linearly to zero over all steps."""
    warmup: NotNegative = 0
    """Steps of linear warm-up."""
    clip: ZeroOrMore = 1.0
    """Maximum norm of the whole model's gradient; 0: none."""


@dataclass(frozen=True, kw_only=True)
class TrainParams(MixedPrecision, _Optimisation, SquadParams):
    """One part of the end-to-end training of an encoder with a new span head (README 3)."""

    parts: Positive = 1
    """Jobs that the training is cut into."""
    part: Positive = 1
    """Which of them this one is, from 1."""
    curve_points: Positive = 100
    """Maximum number of points of the training curve."""

    def __post_init__(self):
        super().__post_init__()
        require(self.part <= self.parts, "part", self.part, f"at most parts, {self.parts}")
        require(self.encoder != "finetuned", "encoder", self.encoder, "pretrained or random: what training starts from")
        mixed = self.precision == "bf16" and self.dtype == "float64"
        require(not mixed, "precision", self.precision, "float32 where dtype is float64")

    def steps(self, total: int) -> range:
        """The steps of this part, of `total` in all parts."""
        return range(total * (self.part - 1) // self.parts, total * self.part // self.parts)

    @property
    def is_last(self) -> bool:
        return self.part == self.parts


TRAINING_CURVES = TableSpec(
    schema=pa.schema(
        [
            column("step", pa.int64(), "training steps done"),
            column("epoch", pa.float64(), "training steps done over steps an epoch"),
            column(
                "loss",
                pa.float64(),
                "mean training loss of the steps since the previous point: half the cross entropies of start and end "
                "position together, nats a window",
            ),
            column("learning_rate", pa.float64(), "learning rate of the last of these steps"),
        ]
    ),
    key=("step",),
    doc="Training curve of each model that was fine-tuned here.",
)
TRAINING_COSTS = TableSpec(
    schema=pa.schema(
        [
            column("steps", pa.int64(), "training steps"),
            column("train_windows", pa.int64(), "windows trained on in an epoch"),
            column("left_out", pa.int64(), "windows that were not, since the answer is not in its context"),
            column("layer_passes", pa.int64(), "layer applications to one window, backward passes counted as two"),
            column("train_seconds", pa.float64(), "seconds of all parts"),
            column("recomputed", pa.bool_(), "whether layers were run again in the backward pass to save memory"),
        ]
    ),
    key=(),
    doc="What each training cost.",
)

# Two stages: a checkpoint without rows serves every experiment of a results directory, each of which has tables of its
# own; what the training was like becomes rows of each by a job that only reads.
TRAIN = Stage(
    name="squad_train",
    function="tasks.squad.training:squad_train",
    params=TrainParams,
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
TRAIN_REPORT = Stage(
    name="squad_train_report",
    function="tasks.squad.training:squad_train_report",
    params=TrainParams,
    tables={"training_curves": TRAINING_CURVES, "training_costs": TRAINING_COSTS},
)
