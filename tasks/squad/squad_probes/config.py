"""The options of `squad_probes` and its presets; `legacy` is the published setting, `paper` the study done right."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from orchestrator.options import Ints
from tasks.encoders.options import at_least, distinct
from tasks.encoders.params import SCRATCH
from tasks.squad.options import QUICK_SQUAD, SquadOptions
from tasks.squad.squad_probes.params import Mode

Kind = Literal["pretrained", "finetuned", "random"]
Solver = Literal["adam", "lbfgs"]
StepName = Literal["train", "predict", "evaluate"]


@dataclass(frozen=True, kw_only=True)
class Config(SquadOptions):
    """A linear span probe on every layer of frozen encoders: what each layer knows of the answer, before and after
    fine-tuning."""

    models: tuple[str, ...] = (
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
    encoders: tuple[Kind, ...] = ("pretrained", "finetuned", "random")
    """Which encoders are probed; random: the same architecture with weights drawn anew."""
    encoder_seeds: Ints = (0,)
    """Seeds of random encoders."""
    stages: tuple[StepName, ...] = ("train", "predict", "evaluate")
    """How far to go: the steps named and what they need. What the results directory has is not done again, so train,
    predict and evaluate can be three commands."""
    mode: Mode = "proper"
    """proper: softmax over [CLS] and the context. legacy: over question and padding too, as published."""
    solvers: tuple[Solver, ...] = ("adam", "lbfgs")
    """adam: the published optimiser, which is far from converged. lbfgs: each probe to its minimum."""
    learning_rates: tuple[float, ...] = (3e-5, 3e-4, 3e-3)
    """Of adam, constant; published: 3e-5. All share one pass of the encoder an epoch."""
    seeds: Ints = (1, 2, 3)
    """Seeds of the probes' first weights and dropout; they share the pass too. Published: 1."""
    data_seed: int = 1
    """Seed of the order of the windows."""
    epochs: int = 3
    """Passes over the training windows; scores follow each."""
    batch_size: int = 8
    """Windows a step."""
    dropout: float = 0.1
    """On the hidden vectors, with adam."""
    clip: float = 1.0
    """Largest gradient norm of a head, with adam; 0: off."""
    l2: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1)
    """Strengths of lbfgs: mean cross entropy in nats + l2/2 |w|^2."""
    converged_windows: int | None = 8000
    """Training windows of lbfgs at most: a level's states of them are held in memory; None: all."""
    max_answer_length: int = 30
    """Tokens of an answer at most, in the proper decoder."""
    legacy_answer_length: int = 17
    """In the published decoder, which allows one token more."""
    legacy_threshold: float = 0.0
    """What the published decoder adds to a window's null score, in logits; below 0 it answers more."""
    legacy_class_weights: bool = False
    """Weigh each target position by N / its count, as an older published state did."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("encoders", "stages", "solvers", "encoder_seeds", "seeds"):
            distinct(self, name)
        for name in ("epochs", "batch_size", "converged_windows", "max_answer_length", "legacy_answer_length"):
            at_least(self, name, 1)
        at_least(self, "clip", 0)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: give a share from 0 to below 1")
        for name, solver in (("learning_rates", "adam"), ("l2", "lbfgs")):
            values, option = getattr(self, name), name.replace("_", "-")
            if solver in self.solvers:
                distinct(self, name)
            if any(value <= 0 for value in values):
                raise ValueError(f"{option} is {' '.join(map(str, values))}: give numbers above 0")
        if "finetuned" in self.encoders and self.finetuned != (HERE,) and len(self.finetuned) != len(self.models):
            raise ValueError(
                f"finetuned names {len(self.finetuned)} checkpoints for {len(self.models)} models: give one for each, "
                "in their order, or --finetuned here"
            )
        if SCRATCH in self.models and "pretrained" in self.encoders:
            raise ValueError("the model scratch has random weights only: give --encoders random finetuned")

    def finetuned_of(self, model: str) -> str:
        """The fine-tuned checkpoint of a model, or `here`."""
        return HERE if self.finetuned == (HERE,) else self.finetuned[self.models.index(model)]


HERE = "here"
"""In place of a fine-tuned checkpoint: the sweep fine-tunes the model itself."""

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
