"""The options of `multihead_copying` and its presets; `paper` is the published setting (attention_dynamics 4.3)."""

from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.attention.copying.settings import Setting, parse_setting
from tasks.attention.multihead_copying.schedule import COMBINED, Combined
from tasks.encoders.options import at_least, distinct


@dataclass(frozen=True, kw_only=True)
class Config:
    """Do heads that fail to learn alone learn together, and does one that succeeds alone help them?"""

    setting: str = "permutation-40"
    """What is copied, KIND-SYMBOLS: permutation-40, distinct-60 or repeat-40."""
    length: int = 40
    """Symbols of a sequence."""
    combined: tuple[Combined, ...] = COMBINED
    """bad: combinations of heads that fail alone; good: one of its heads succeeds alone; random: heads of any kind."""
    combinations: int = 50
    """Combinations of each kind."""
    size: int = 8
    """Heads of a combination."""
    wanted: int = 20
    """Bad heads, and good heads, that combinations are drawn from: the first found."""
    random_heads: int = 30
    """Random heads that combinations are drawn from."""
    candidates: int = 320
    """Heads that are tried alone, at most, until there are enough good and bad ones."""
    data_seeds: Ints = (0, 1, 2)
    """Of the training data of a head alone; it is good or bad where all say so."""
    good_above: float = 0.95
    """A head alone is good at the first evaluation with an accuracy above this."""
    bad_below: float = 0.6
    """A head alone that was never good is bad with an accuracy below this at the last evaluation."""
    base_seed: int = 0
    """Of the base's weights, the heads and the evaluation set."""
    heads_together: int = 8
    """Candidates that a job trains at once, each with every data seed."""
    combinations_together: int = 10
    """Combinations that a job trains at once."""
    lanes: int = 4
    """Jobs of candidates that may run at the same time: a job waits for all but the last lanes - 1 before it, and does
    nothing where they hold enough heads."""
    hidden: int = 256
    """Width of embeddings, recurrences and heads."""
    batch: int = 128
    """Sequences of an update."""
    learning_rate: float = 1e-3
    """Of Adam."""
    steps: int = 200
    """Updates; those after the last evaluation are not made, since nothing reads them."""
    evaluate_every: int = 10
    """Steps between evaluations, each before the step's update."""
    evaluation_sequences: int = 400
    """Sequences of the one evaluation set."""
    learned_from: float = 0.95
    """A combination has learned to copy when an evaluation reaches this accuracy. Shapes the report alone."""

    def __post_init__(self):
        for name in ("combined", "data_seeds"):
            distinct(self, name)
        ones = ("combinations", "wanted", "candidates", "heads_together", "combinations_together", "lanes", "hidden")
        for name in (*ones, "batch", "steps", "evaluate_every", "evaluation_sequences"):
            at_least(self, name, 1)
        at_least(self, "size", 2)
        at_least(self, "base_seed", 0)
        if "random" in self.combined and self.random_heads < self.size:
            raise ValueError(f"random-heads is {self.random_heads}: give at least --size, {self.size}")
        if self.wanted < self.size and "bad" in self.combined:
            raise ValueError(f"wanted is {self.wanted}: a combination needs --size, {self.size}, bad heads")
        if not 0 <= self.bad_below <= self.good_above < 1:
            raise ValueError(
                f"bad-below {self.bad_below} and good-above {self.good_above}: give 0 <= bad-below <= good-above < 1"
            )
        if not 0 <= self.learned_from < 1:
            raise ValueError(f"learned-from is {self.learned_from}: give a share below 1")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning-rate is {self.learning_rate}: give more than 0")
        self.parsed.check_length(self.length)

    @property
    def parsed(self) -> Setting:
        return parse_setting(self.setting)


PRESETS = {
    "paper": Config(),
    "quick": Config(
        setting="permutation-20",
        length=20,
        combinations=4,
        size=2,
        wanted=4,
        random_heads=6,
        candidates=8,
        data_seeds=(0, 1),
        heads_together=4,
        combinations_together=4,
        hidden=64,
        batch=64,
        learning_rate=2e-3,
        steps=141,
        evaluation_sequences=100,
    ),
}
