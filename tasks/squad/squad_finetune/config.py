"""The options of `squad_finetune` and its presets; `paper` is the published setting (README 3)."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.limits import Limited, Positive, Several, require
from tasks.encoders.params import SCRATCH
from tasks.squad.options import QUICK_SQUAD, AnswerLength, SquadOptions


@dataclass(frozen=True, kw_only=True)
class NBest(Limited):
    """What run_squad looks at."""

    n_best: Positive = 20
    """Start and end logits of a window that the decoder n_best considers; the default decoder considers all."""


@dataclass(frozen=True, kw_only=True)
class Config(NBest, AnswerLength, SquadOptions):
    """End-to-end fine-tuning of encoders on SQuAD 2.0, and their exact match and F1; or evaluation alone."""

    stages: Several[Literal["train", "evaluate"]] = ("train", "evaluate")
    """evaluate alone: --models are checkpoints that answer questions already, with span heads of their own."""

    def __post_init__(self):
        super().__post_init__()
        fine = SCRATCH not in self.models or "train" in self.stages
        require(fine, "stages", self.stages, "train evaluate: the model scratch has no span head to evaluate")


PRESETS = {"paper": Config(), "quick": Config(**QUICK_SQUAD, finetune_seeds=(0, 1))}
