"""The options of `squad_probes` and its presets; `legacy` is the published setting, `paper` the study done right."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

from orchestrator.limits import Limited, Positive, Probability, Several, ZeroOrMore, require
from tasks.encoders.options import SeveralInts
from tasks.encoders.params import SCRATCH
from tasks.encoders.transformer import Weights
from tasks.squad.options import QUICK_SQUAD, AnswerLength, SquadOptions

HERE = "here"
"""In place of a fine-tuned checkpoint: the sweep fine-tunes the model itself."""


@dataclass(frozen=True, kw_only=True)
class Softmax(Limited):
    """Over which positions a probe's softmax goes."""

    mode: Literal["proper", "legacy"] = "proper"
    """proper: softmax over [CLS] and the context. legacy: over question and padding too, as published (README 4)."""


@dataclass(frozen=True, kw_only=True)
class AdamGrid(Limited):
    """Probes that are trained together, since they share a pass of the encoder."""

    learning_rates: Annotated[Several[float], Gt(0)] = (3e-5, 3e-4, 3e-3)
    """Learning rates of adam, constant; published: 3e-5. All share one pass of the encoder an epoch."""
    seeds: SeveralInts = (1, 2, 3)
    """Random seeds of the probes' initial weights and dropout; they share the pass too. Published: 1."""


@dataclass(frozen=True, kw_only=True)
class DataSeed(Limited):
    """In which order, and which, windows are trained on."""

    data_seed: int = 1
    """Random seed of the order of the training windows, and of the choice for lbfgs."""


@dataclass(frozen=True, kw_only=True)
class AdamTraining(Limited):
    """How adam trains."""

    epochs: Positive = 3
    """Epochs of adam; probes are scored after each."""
    batch_size: Positive = 8
    """Batch size of adam, in windows."""
    dropout: Probability = 0.1
    """Dropout of the hidden states, with adam."""
    clip: ZeroOrMore = 1.0
    """Maximum gradient norm of a head, with adam; 0: none."""


@dataclass(frozen=True, kw_only=True)
class ClassWeights(Limited):
    """An older published state."""

    legacy_class_weights: bool = False
    """Weigh each target position by N / its count, as an older published state did."""


@dataclass(frozen=True, kw_only=True)
class Strengths(Limited):
    """Probes that are solved together."""

    l2: Annotated[Several[float], Gt(0)] = (1e-4, 1e-3, 1e-2, 1e-1)
    """L2 strengths of lbfgs, λ of mean cross entropy in nats + λ/2 |w|²."""


@dataclass(frozen=True, kw_only=True)
class ConvergedWindows(Limited):
    """How much lbfgs reads."""

    converged_windows: Positive | None = 8000
    """Maximum number of training windows of lbfgs, whose states are held in memory level by level; None: all."""


@dataclass(frozen=True, kw_only=True)
class LegacyDecoder(Limited):
    """The published decoder."""

    legacy_answer_length: Positive = 17
    """Maximum answer length of the published decoder, which allows one token more."""
    legacy_threshold: float = 0.0
    """What the published decoder adds to a window's null score, in logits; below 0 it answers more."""


@dataclass(frozen=True, kw_only=True)
class Config(
    ClassWeights,
    LegacyDecoder,
    AnswerLength,
    ConvergedWindows,
    Strengths,
    AdamTraining,
    DataSeed,
    AdamGrid,
    Softmax,
    SquadOptions,
):
    """A linear span probe on every layer of frozen encoders: what each layer knows of the answer, before and after
    fine-tuning."""

    models: Several[str] = (
        "albert/albert-base-v2",
        "google-bert/bert-base-uncased",
        "distilbert/distilbert-base-uncased",
    )
    """Pretrained models: hub names or directories; scratch: random weights of the --architecture and sizes given."""
    finetuned: tuple[str, ...] = (
        "twmkn9/albert-base-v2-squad2",
        "twmkn9/bert-base-uncased-squad2",
        "twmkn9/distilbert-base-uncased-squad2",
    )
    """Fine-tuned checkpoints in the order of --models; `here` in place of one or all: the sweep fine-tunes that model
    itself, with the settings of squad_finetune."""
    encoders: Several[Weights] = ("pretrained", "finetuned", "random")
    """Which encoders are probed; random: the same architecture with random weights."""
    encoder_seeds: SeveralInts = (0,)
    """Random seeds of the random encoders."""
    stages: Several[Literal["train", "predict", "evaluate"]] = ("train", "predict", "evaluate")
    """How far to go: the steps named and what they need. What the results directory has is not done again, so train,
    predict and evaluate can be three commands."""
    solvers: Several[Literal["adam", "lbfgs"]] = ("adam", "lbfgs")
    """adam: the published optimiser, which is far from converged. lbfgs: each probe to its minimum."""

    def __post_init__(self):
        super().__post_init__()
        given = "finetuned" not in self.encoders or self.finetuned == (HERE,)
        remedy = f"a checkpoint for each of the {len(self.models)} models in their order, or {HERE}"
        require(given or len(self.finetuned) == len(self.models), "finetuned", self.finetuned, remedy)
        fine = SCRATCH not in self.models or "pretrained" not in self.encoders
        require(fine, "encoders", self.encoders, "random finetuned: the model scratch has random weights only")

    def finetuned_of(self, model: str) -> str:
        """The fine-tuned checkpoint of a model, or `here`."""
        return HERE if self.finetuned == (HERE,) else self.finetuned[self.models.index(model)]


_PAPER = Config()
PRESETS = {
    "paper": _PAPER,
    "legacy": dataclasses.replace(
        _PAPER,
        encoders=("pretrained", "finetuned"),
        mode="legacy",
        solvers=("adam",),
        learning_rates=(3e-5,),
        seeds=(1,),
    ),
    "quick": Config(
        **QUICK_SQUAD,
        finetuned=(HERE,),
        finetune_seeds=(0,),
        encoders=("finetuned", "random"),
        learning_rates=(3e-4, 3e-3),
        seeds=(0, 1, 2),
        epochs=1,
        l2=(1e-3, 1e-2),
        converged_windows=1000,
    ),
}
