"""The stages of `squad_probes` and their parameters. Imports no torch.

`probe_train_adam` and `probe_train_lbfgs` train the probes of all levels of one encoder and write them;
`probe_predict` passes the dev questions once through the encoder for all of them; `probe_evaluate` scores.
"""

from dataclasses import dataclass
from typing import Literal

from orchestrator.experiment import Resources, Stage
from tasks.encoders.params import require
from tasks.encoders.transformer import TransformerParams
from tasks.squad.squad_probes.tables import BASELINES, COSTS, CURVES, SCORES, SOLUTIONS, WEIGHTS

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
    max_answer_length: int = 30
    """Tokens of an answer at most, in the proper decoder."""
    legacy_answer_length: int = 17
    """The published max_answer_length, which allows one token more."""
    legacy_threshold: float = 0.0
    """What the published decoder adds to a window's null score, in logits."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("max_answer_length", "legacy_answer_length"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")


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
    function="tasks.squad.squad_probes.training:train_lbfgs",
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
    function="tasks.squad.squad_probes.evaluate:evaluate",
    params=PredictParams,
    tables={"scores": SCORES, "baselines": BASELINES},
)
