"""What the stage `train_copies` takes and writes: its parameters and its tables. Imports no torch."""

from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.attention.copying.params import CopyingParams

Attention = Literal["learned", "uniform", "none"]


@dataclass(frozen=True, kw_only=True)
class TrainCopiesParams(CopyingParams):
    """Copy models of one setting, one a seed, trained together (attention_dynamics 4.2)."""

    seeds: tuple[int, ...]
    """Of initial weights, training data and evaluation data, a stream each."""
    evaluation_sequences: int = 50
    """Freshly drawn at every evaluation."""
    attention: Attention = "learned"
    """learned; uniform: every source position has the same weight; none: the context is zero."""
    bidirectional: bool = False
    """Whether the encoder reads in both directions."""

    def __post_init__(self):
        super().__post_init__()
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f"seeds is {self.seeds}: give at least one, each once")
        if self.attention not in get_args(Attention):
            raise ValueError(f"attention is {self.attention!r}; choose {', '.join(get_args(Attention))}")


COPYING = TableSpec(
    schema=pa.schema(
        [
            column("seed", pa.int64(), "of initial weights, training and evaluation data"),
            column("step", pa.int64(), "number of the update behind which the evaluation stands, from 0, as published"),
            column("updates", pa.int64(), "updates that the weights have had: step + 1"),
            column(
                "accuracy",
                pa.float64(),
                "share of target positions, the end symbol's included, whose most probable symbol is the right one, "
                "given the right ones before it; in [0, 1]",
            ),
            column(
                "attention_accuracy",
                pa.float64(),
                "share of target positions, the end symbol's included, at which attention is greatest on the symbol "
                "to be copied; in [0, 1]; null without attention",
            ),
            column(
                "attention_late", pa.float64(), "the same one position late: on the symbol after it (published: m1)"
            ),
            column(
                "attention_early", pa.float64(), "the same one position early: on the symbol before it (published: p1)"
            ),
            column(
                "loss", pa.float64(), "mean negative log-likelihood of the update's batch before it, nats a position"
            ),
        ]
    ),
    key=("seed", "step"),
    doc="Every run at every evaluation.",
)
TRAININGS = TableSpec(
    schema=pa.schema(
        [
            column("first_seed", pa.int64(), "of the job's seeds"),
            column("runs", pa.int64(), "models trained in this job"),
            column("at_once", pa.int64(), "models trained together: fewer where memory is short"),
            column("parameters", pa.int64(), "weights of one model"),
            column("train_seconds", pa.float64(), "of all of them, data and evaluations included"),
        ]
    ),
    key=("first_seed",),
    doc="What each job cost.",
)
TRAIN_COPIES = Stage(
    name="train_copies",
    function="tasks.attention.sequence_copying.stage:train_copies",
    params=TrainCopiesParams,
    tables={"copying": COPYING, "trainings": TRAININGS},
    resources=Resources(num_cpus=1, num_gpus=1),
)
