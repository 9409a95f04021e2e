"""What the stages of `squad_probes` take and write: their parameters, tables and Stages. Imports no torch.

`probe_train_adam` and `probe_train_lbfgs` train the probes of all levels of one encoder and write them;
`probe_predict` passes the dev questions once through the encoder for all of them; `probe_evaluate` scores.
"""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.encoders.params import require
from tasks.encoders.transformer import TransformerParams

Mode = Literal["proper", "legacy"]


@dataclass(frozen=True, kw_only=True)
class FrozenParams(TransformerParams):
    """One frozen encoder, the windows it reads, and over which positions a probe's softmax goes."""

    dataset: str
    """squad_v2, or builtin."""
    mode: Mode = "proper"
    """proper: softmax over [CLS] and the context. legacy: over all positions, question and padding too, as published
    (squad_probes 5 and Q6)."""
    max_length: int = 384
    """Tokens a window, T."""
    doc_stride: int = 128
    """Context tokens from the start of one window to that of the next."""
    max_query_length: int = 64
    """Question tokens at most."""
    train_limit: int | None = None
    """Questions that the windows job chose to train on; None: all."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("max_length", "doc_stride", "max_query_length"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")


@dataclass(frozen=True, kw_only=True)
class AdamParams(FrozenParams):
    """Probes of all levels, learning rates and seeds, trained together with the published optimiser (section 5)."""

    learning_rates: tuple[float, ...]
    """Constant learning rates; published: 3e-5."""
    seeds: tuple[int, ...]
    """Seeds of the first weights and of dropout. All see the same batches."""
    data_seed: int = 1
    """Seed of the order of the windows."""
    epochs: int = 3
    """Passes over the training windows, after each of which the probes are kept."""
    batch_size: int = 8
    """Windows a step."""
    dropout: float = 0.1
    """On the hidden vectors, drawn apart for the two heads and the seeds, shared by levels and learning rates."""
    clip: float = 1.0
    """Largest gradient norm of a head; 0: off."""
    legacy_class_weights: bool = False
    """Weigh each target position by N / its count among the training targets, as an older published state did."""
    curve_points: int = 50
    """Training-curve points at most."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("learning_rates", "seeds"):
            values = getattr(self, name)
            require(bool(values) and len(set(values)) == len(values), name, values, "at least one, each once")
        require(min(self.learning_rates) > 0, "learning_rates", self.learning_rates, "more than 0")
        for name in ("epochs", "batch_size", "curve_points"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "a share from 0 to below 1")
        require(self.clip >= 0, "clip", self.clip, "0 or more")


@dataclass(frozen=True, kw_only=True)
class LbfgsParams(FrozenParams):
    """Probes of all levels and strengths of L2, each solved to convergence: no dropout, convex, no randomness."""

    l2: tuple[float, ...]
    """lambda: the objective is the mean cross entropy of a head in nats + lambda/2 |w|^2."""
    converged_windows: int | None = 8000
    """Training windows at most, a fixed random choice; None: all."""
    data_seed: int = 1
    """Seed of that choice."""
    max_iterations: int = 300
    """Iterations of L-BFGS at most; `solutions` says which probes needed more."""
    tolerance: float = 1e-5
    """A probe has converged when no entry of its objective's gradient is larger."""

    def __post_init__(self):
        super().__post_init__()
        require(bool(self.l2) and len(set(self.l2)) == len(self.l2), "l2", self.l2, "at least one, each once")
        require(min(self.l2) > 0, "l2", self.l2, "more than 0: without it the minimum may lie at infinity")
        fine = self.converged_windows is None or self.converged_windows >= 1
        require(fine, "converged_windows", self.converged_windows, "1 or more, or None")
        require(self.max_iterations >= 1, "max_iterations", self.max_iterations, "1 or more")
        require(self.tolerance > 0, "tolerance", self.tolerance, "more than 0")


@dataclass(frozen=True, kw_only=True)
class PredictParams(FrozenParams):
    """Dev predictions of trained probes. What shaped their training stands here too, so that it is a column."""

    dev_limit: int | None = None
    """Dev questions that the windows job chose; None: all."""
    data_seed: int = 1
    """Of the training."""
    epochs: int | None = 3
    """Of the training with Adam, like the next four; None: no such probes."""
    batch_size: int | None = 8
    dropout: float | None = 0.1
    clip: float | None = 1.0
    legacy_class_weights: bool = False
    converged_windows: int | None = None
    """Of the training to convergence; None: no such probes, or all windows."""
    longest: int = 30
    """Tokens of an answer at most, in the proper decoder."""
    legacy_longest: int = 17
    """The published max_answer_length, which allows one token more."""
    legacy_threshold: float = 0.0
    """What the published decoder adds to a window's null score."""


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
SCORES = TableSpec(
    schema=pa.schema(
        [
            *_PROBE,
            column("decoder", pa.string(), "proper: squad_probes 7b, exhaustive; legacy: 7a, as published"),
            column("part", pa.string(), "all dev questions, or first_half and second_half of the articles"),
            column(
                "metric",
                pa.string(),
                "in percent: exact, f1 (all), has_exact, has_f1 (answerable), no_exact (unanswerable; = F1); "
                "forced_has_exact, forced_has_f1 (an answer is always given); best_exact, best_f1 (best threshold, "
                "chosen on these questions); cross_exact, cross_f1 (threshold chosen on the other half); exact_se, "
                "f1_se (standard errors by paragraph). best_exact_threshold, best_f1_threshold; "
                "null_average_precision (percent); loss (dev cross entropy of the probe's own softmax, nats)",
            ),
            column("value", pa.float64(), "value; NaN where there is no question of the kind"),
        ]
    ),
    key=(*PROBE_KEY, "decoder", "part", "metric"),
    doc="EM and F1 of each probe.",
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
    function="tasks.squad_probes.training:train_adam",
    params=AdamParams,
    tables={"curves": CURVES, "weights": WEIGHTS, "costs": COSTS},
    resources=_ENCODER,
    artifact=True,
)
PROBE_LBFGS = Stage(
    name="probe_train_lbfgs",
    function="tasks.squad_probes.training:train_lbfgs",
    params=LbfgsParams,
    tables={"solutions": SOLUTIONS, "weights": WEIGHTS, "costs": COSTS},
    resources=_ENCODER,
    artifact=True,
)
PROBE_PREDICT = Stage(
    name="probe_predict",
    function="tasks.squad_probes.predict:predict",
    params=PredictParams,
    tables={"costs": COSTS},
    resources=_ENCODER,
    artifact=True,
)
PROBE_EVALUATE = Stage(
    name="probe_evaluate",
    function="tasks.squad_probes.evaluate:evaluate",
    params=PredictParams,
    tables={"scores": SCORES, "baselines": BASELINES},
)
