"""The options of `sequence_copying` and its presets; `paper` is the published setting (README 4)."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.limits import Limited, Positive, Several, Share
from tasks.attention.copying.options import Setting, Training, parse_setting
from tasks.encoders.options import SeveralInts

Attention = Literal["learned", "uniform", "none"]


@dataclass(frozen=True, kw_only=True)
class EvaluatedTraining(Training):
    """Training with fresh sequences at every evaluation."""

    evaluation_sequences: Positive = 50
    """Number of sequences in an evaluation, freshly drawn each time."""


@dataclass(frozen=True, kw_only=True)
class Encoder(Limited):
    """What reads the source."""

    bidirectional: bool = False
    """Use a bidirectional encoder."""


@dataclass(frozen=True, kw_only=True)
class Config(Encoder, EvaluatedTraining):
    """Does a model learn where to look when bags of words tell nothing about which word goes with which?"""

    settings: Several[str] = ("permutation-40", "distinct-60")
    """What is copied, KIND-SYMBOLS: permutation-40 (all of 40 symbols), distinct-60 (different ones out of 60),
    repeat-40 (40 symbols, drawn with replacement)."""
    seeds: SeveralInts = tuple(range(20))
    """Random seeds of initial weights, training data and evaluation data."""
    seeds_together: Positive = 8
    """Seeds that a job trains together: 0-7, 8-15, and so on. Numbers stay the same up to the order of sums."""
    attentions: Several[Attention] = ("learned",)
    """learned; uniform: equal weight on all source positions; none: the decoder sees the last encoder state alone."""
    learned_from: Share = 0.99
    """Accuracy from which a run counts as having learned to copy; used in the report alone."""

    def __post_init__(self):
        super().__post_init__()
        for setting in self.parsed:
            setting.check_length(self.length)

    @property
    def parsed(self) -> tuple[Setting, ...]:
        return tuple(parse_setting(name) for name in self.settings)


PRESETS = {
    "paper": Config(),
    "quick": Config(
        settings=("permutation-20", "distinct-30"),
        length=20,
        seeds=tuple(range(8)),
        seeds_together=4,
        hidden=96,
        batch=64,
        learning_rate=2e-3,
    ),
}
