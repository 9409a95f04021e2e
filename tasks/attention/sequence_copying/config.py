"""The options of `sequence_copying` and its presets; `paper` is the published setting (attention_dynamics 4.2)."""

from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.attention.copying.settings import Setting, parse_setting
from tasks.attention.sequence_copying.params import Attention
from tasks.encoders.options import at_least, distinct


@dataclass(frozen=True, kw_only=True)
class Config:
    """Does a model learn where to look when bags of words tell nothing about which word goes with which?"""

    settings: tuple[str, ...] = ("permutation-40", "distinct-60")
    """What is copied, KIND-SYMBOLS: permutation-40 (all of 40 symbols), distinct-60 (different ones out of 60),
    repeat-40 (40 symbols, drawn with replacement)."""
    length: int = 40
    """Symbols of a sequence."""
    seeds: Ints = tuple(range(20))
    """Of initial weights, training data and evaluation data."""
    seeds_together: int = 8
    """Seeds that a job trains at once: 0-7, 8-15, and so on. Shapes no number but for the order of sums."""
    attentions: tuple[Attention, ...] = ("learned",)
    """learned; uniform: every source position has the same weight; none: the decoder sees the last state alone."""
    bidirectional: bool = False
    """Whether the encoder reads in both directions."""
    hidden: int = 256
    """Width of embeddings, recurrences and attention."""
    batch: int = 128
    """Sequences of an update."""
    learning_rate: float = 1e-3
    """Of Adam."""
    steps: int = 200
    """Updates; those after the last evaluation are not made, since nothing reads them."""
    evaluate_every: int = 10
    """Steps between evaluations, each behind the step's update."""
    evaluation_sequences: int = 50
    """Sequences that an evaluation reads."""
    learned_from: float = 0.99
    """A run has learned to copy when an evaluation reaches this accuracy. Shapes the report alone."""

    def __post_init__(self):
        for name in ("settings", "seeds", "attentions"):
            distinct(self, name)
        for name in ("seeds_together", "hidden", "batch", "steps", "evaluate_every", "evaluation_sequences"):
            at_least(self, name, 1)
        if not 0 < self.learned_from <= 1:
            raise ValueError(f"learned-from is {self.learned_from}: give a share above 0, at most 1")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning-rate is {self.learning_rate}: give more than 0")
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
