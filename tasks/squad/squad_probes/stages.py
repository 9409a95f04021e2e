"""The stages of `squad_probes`: parameters, tables. Imports no torch.

`probe_train_adam` and `probe_train_lbfgs` train the probes of all levels of one encoder and write them;
`probe_predict` passes the dev questions once through the encoder for all of them; `probe_evaluate` scores.
"""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import AboveZero, Limited, Positive, Probability, ZeroOrMore
from tasks.encoders.transformer import TransformerParams
from tasks.squad.options import AnswerLength
from tasks.squad.questions.plan import Dataset, DevQuestions, TrainQuestions, WindowSizes
from tasks.squad.scores import LOSS, METRICS, scores_table
from tasks.squad.squad_probes.config import (
    AdamGrid,
    AdamTraining,
    ClassWeights,
    ConvergedWindows,
    DataSeed,
    LegacyDecoder,
    Softmax,
    Strengths,
)


@dataclass(frozen=True, kw_only=True)
class FrozenParams(TrainQuestions, WindowSizes, Softmax, Dataset, TransformerParams):
    """One frozen encoder, the windows it reads, and over which positions a probe's softmax goes."""


@dataclass(frozen=True, kw_only=True)
class AdamParams(ClassWeights, AdamTraining, DataSeed, AdamGrid, FrozenParams):
    """Probes of all levels, learning rates and seeds, trained together with the published optimiser (README 4).

    All see the same batches. Dropout masks are drawn apart for the two heads and the seeds, and shared by levels and
    learning rates.
    """

    curve_points: Positive = 50
    """Maximum number of points of a training curve."""


@dataclass(frozen=True, kw_only=True)
class LbfgsParams(DataSeed, ConvergedWindows, Strengths, FrozenParams):
    """Probes of all levels and strengths of L2, each solved to convergence: no dropout, convex, no randomness."""

    max_iterations: Positive = 300
    """Maximum number of iterations of L-BFGS; `solutions` says which probes needed more."""
    tolerance: AboveZero = 1e-5
    """A probe has converged when no entry of its objective's gradient is larger."""


@dataclass(frozen=True, kw_only=True)
class _OfAdam(Limited):
    """What shaped the training with Adam; None: no such probes."""

    epochs: Positive | None = 3
    batch_size: Positive | None = 8
    dropout: Probability | None = 0.1
    clip: ZeroOrMore | None = 1.0


@dataclass(frozen=True, kw_only=True)
class PredictParams(
    LegacyDecoder, AnswerLength, ConvergedWindows, ClassWeights, _OfAdam, DataSeed, DevQuestions, FrozenParams
):
    """Dev predictions of trained probes. What shaped their training stands here too, so that it is a column."""


_PROBE = (
    column("level", pa.int64(), "0: embedding output, l: output of layer l"),
    column("solver", pa.string(), "adam: the published optimiser; lbfgs: to convergence"),
    column("learning_rate", pa.float64(), "of adam; 0 with lbfgs"),
    column("l2", pa.float64(), "lambda of lbfgs; 0 with adam"),
    column("seed", pa.int64(), "of first weights and dropout; lbfgs has no randomness and stands under 0"),
    column("epoch", pa.int64(), "of adam, from 1; 0 with lbfgs"),
)
PROBE_KEY = tuple(f.name for f in _PROBE)

CURVES = TableSpec(
    schema=pa.schema(
        [
            column("level", pa.int64(), "0: embedding output, l: output of layer l"),
            column("learning_rate", pa.float64(), "constant"),
            column("seed", pa.int64(), "of first weights and dropout"),
            column("step", pa.int64(), "training steps done"),
            column("epoch", pa.float64(), "training steps done over steps an epoch"),
            column("loss", pa.float64(), "mean of (start + end)/2 cross entropies since the previous point, nats"),
        ]
    ),
    key=("level", "learning_rate", "seed", "step"),
    doc="Training curves of the probes trained with Adam.",
)
SOLUTIONS = TableSpec(
    schema=pa.schema(
        [
            column("level", pa.int64(), "0: embedding output, l: output of layer l"),
            column("l2", pa.float64(), "lambda"),
            column("head", pa.string(), "start or end"),
            column("loss", pa.float64(), "mean cross entropy at the solution, nats"),
            column("objective", pa.float64(), "loss + lambda/2 |w|^2, nats"),
            column("gradient", pa.float64(), "largest absolute entry of the objective's gradient"),
            column("iterations", pa.int64(), "L-BFGS iterations"),
            column("converged", pa.bool_(), "whether the gradient came below the tolerance"),
        ]
    ),
    key=("level", "l2", "head"),
    doc="How each convex problem was solved.",
)
WEIGHTS = TableSpec(
    schema=pa.schema(
        [
            *_PROBE,
            column("head", pa.string(), "start or end"),
            column("norm", pa.float64(), "L2 norm of the head's weights"),
        ]
    ),
    key=(*PROBE_KEY, "head"),
    doc="Norms of the probes' weights: those that still grow have not converged.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_windows", pa.int64(), "windows"),
            column("n_probes", pa.int64(), "probes a level: learning rates times seeds, or strengths of L2"),
            column("n_levels", pa.int64(), "levels, L + 1"),
            column("layer_passes", pa.int64(), "forward layer applications to one window, counted while running"),
            column("encoder_seconds", pa.float64(), "seconds in the encoder"),
            column("probe_seconds", pa.float64(), "seconds in training, or in logits and span search"),
        ]
    ),
    key=(),
    doc="Passes and seconds.",
)
SCORES = scores_table(
    (
        *_PROBE,
        column("decoder", pa.string(), "proper: exhaustive search, text cut from the context; legacy: as published"),
    ),
    (*PROBE_KEY, "decoder"),
    METRICS | LOSS,
    "Dev scores of each probe.",
)
BASELINES = TableSpec(
    schema=pa.schema(
        [
            column("part", pa.string(), "all, first_half or second_half"),
            column("metric", pa.string(), "questions, answerable, windows (counts); always_null (EM = F1, percent)"),
            column("value", pa.float64(), "value"),
        ]
    ),
    key=("part", "metric"),
    doc="The dev questions, and the score of never answering.",
)

_ENCODER = Resources(num_cpus=1, num_gpus=1)
PROBE_ADAM = Stage(
    name="probe_train_adam",
    function="tasks.squad.squad_probes.training:train_adam",
    params=AdamParams,
    tables={"curves": CURVES, "weights": WEIGHTS, "costs": COSTS},
    resources=_ENCODER,
    artifact=True,
)
PROBE_LBFGS = Stage(
    name="probe_train_lbfgs",
    function="tasks.squad.squad_probes.converged:train_lbfgs",
    params=LbfgsParams,
    tables={"solutions": SOLUTIONS, "weights": WEIGHTS, "costs": COSTS},
    resources=_ENCODER,
    artifact=True,
)
PROBE_PREDICT = Stage(
    name="probe_predict",
    function="tasks.squad.squad_probes.predict:predict",
    params=PredictParams,
    tables={"costs": COSTS},
    resources=_ENCODER,
    artifact=True,
)
PROBE_EVALUATE = Stage(
    name="probe_evaluate",
    function="tasks.squad.squad_probes.predict:evaluate",
    params=PredictParams,
    tables={"scores": SCORES, "baselines": BASELINES},
)
