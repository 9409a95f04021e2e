"""What the stage `train_copies` takes and writes: its parameters and its tables. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import Several
from tasks.attention.copying.options import ACCURACY_COLUMN, AT_ONCE, CopyingParams
from tasks.attention.sequence_copying.config import Attention, Encoder, EvaluatedTraining


@dataclass(frozen=True, kw_only=True)
class _Block(EvaluatedTraining, CopyingParams):
    seeds: Several[int]
    """Random seeds of initial weights, training data and evaluation data, a stream each."""
    attention: Attention = "learned"
    """learned; uniform: equal weight on all source positions; none: the context is zero."""


@dataclass(frozen=True, kw_only=True)
class TrainCopiesParams(Encoder, _Block):
    """Copy models of one setting, one a seed, trained together (README 4)."""


COPYING = TableSpec(
    schema=pa.schema(
        [
            column("seed", pa.int64(), "random seed of initial weights, training and evaluation data"),
            column("step", pa.int64(), "training step, from 0; evaluated after its update, as published"),
            column("updates", pa.int64(), "updates so far: step + 1"),
            ACCURACY_COLUMN,
            column(
                "attention_accuracy",
                pa.float64(),
                "share of target positions, the end symbol's included, at which attention is greatest on the symbol "
                "to be copied; in [0, 1]; null without attention",
            ),
            column("attention_late", pa.float64(), "share with the maximum on the symbol after it (published: m1)"),
            column("attention_early", pa.float64(), "share with the maximum on the symbol before it (published: p1)"),
            column("loss", pa.float64(), "mean negative log-likelihood of the training batch, nats a position"),
        ]
    ),
    key=("seed", "step"),
    doc="Learning curves: every run at every evaluation.",
)
TRAININGS = TableSpec(
    schema=pa.schema(
        [
            column("first_seed", pa.int64(), "first seed of the job"),
            column("runs", pa.int64(), "models trained in this job"),
            AT_ONCE,
            column("parameters", pa.int64(), "number of parameters of a model"),
            column("train_seconds", pa.float64(), "training time of all models, data and evaluations included"),
        ]
    ),
    key=("first_seed",),
    doc="What each job cost.",
)
TRAIN_COPIES = Stage(
    name="train_copies",
    function="tasks.attention.sequence_copying.training:train_copies",
    params=TrainCopiesParams,
    tables={"copying": COPYING, "trainings": TRAININGS},
    resources=Resources(num_cpus=1, num_gpus=1),
)
