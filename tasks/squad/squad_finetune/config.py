"""The options of `squad_finetune` and its presets; `paper` is the published setting (squad_probes 6)."""

from dataclasses import dataclass
from typing import Literal

from tasks.encoders.options import at_least, distinct
from tasks.encoders.params import SCRATCH
from tasks.squad.options import QUICK_SQUAD, SquadOptions


@dataclass(frozen=True, kw_only=True)
class Config(SquadOptions):
    """End-to-end fine-tuning of encoders on SQuAD 2.0, and their exact match and F1; or evaluation alone."""

    stages: tuple[Literal["train", "evaluate"], ...] = ("train", "evaluate")
    """evaluate alone: --models are checkpoints that answer questions already, with span heads of their own."""
    max_answer_length: int = 30
    """Tokens of an answer at most."""
    n_best: int = 20
    """Starts and ends of a window that the decoder of run_squad looks at; the default decoder looks at all."""

    def __post_init__(self):
        super().__post_init__()
        distinct(self, "stages")
        for name in ("max_answer_length", "n_best"):
            at_least(self, name, 1)
        if SCRATCH in self.models and "train" not in self.stages:
            raise ValueError("the model scratch has no span head to evaluate: give --stages train evaluate")


PRESETS = {
    "paper": Config(),
    "quick": Config(**QUICK_SQUAD, finetune_seeds=(0, 1)),
}
