"""The options of `multihead_copying` and its presets; `paper` is the published setting (README 5)."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from annotated_types import Ge

from orchestrator.limits import Limited, NotNegative, Positive, Probability, Several, option, require
from tasks.attention.copying.options import Setting, Training, parse_setting
from tasks.encoders.options import SeveralInts

Combined = Literal["bad", "good", "random"]
COMBINED: tuple[Combined, ...] = get_args(Combined)


@dataclass(frozen=True, kw_only=True)
class BasedTraining(Training):
    """Training on one base, with one evaluation set."""

    evaluation_sequences: Positive = 400
    """Number of sequences in the evaluation set, the same for all models."""
    base_seed: NotNegative = 0
    """Random seed of the base's initial weights, of all heads and of the evaluation set."""


@dataclass(frozen=True, kw_only=True)
class Judgement(Limited):
    """By what a head alone is good or bad."""

    data_seeds: Annotated[SeveralInts, Ge(0)] = (0, 1, 2)
    """Random seeds of training data for a head alone; it is good or bad if it is with all of them."""
    good_above: Probability = 0.95
    """Accuracy above which a head alone is good, at any evaluation; its training stops there."""
    bad_below: Probability = 0.6
    """Accuracy below which a head alone that was never good is bad, at the last evaluation."""

    def __post_init__(self):
        super().__post_init__()
        remedy = f"at most {option('good_above')}, {self.good_above}"
        require(self.bad_below <= self.good_above, "bad_below", self.bad_below, remedy)


@dataclass(frozen=True, kw_only=True)
class Combination(Limited):
    """From what heads are combined."""

    size: Annotated[int, Ge(2)] = 8
    """Number of heads M in a combination."""
    wanted: Positive = 20
    """Number of bad heads, and of good heads, to draw combinations from: the first found."""
    random_heads: Positive = 30
    """Number of random heads to draw combinations from."""


@dataclass(frozen=True, kw_only=True)
class Config(Combination, Judgement, BasedTraining):
    """Do heads that fail to learn alone learn together, and does one that succeeds alone help them?"""

    setting: str = "permutation-40"
    """What is copied, KIND-SYMBOLS: permutation-40, distinct-60 or repeat-40."""
    combined: Several[Combined] = COMBINED
    """bad: combinations of heads that fail alone; good: one of its heads succeeds alone; random: heads of any kind."""
    combinations: Positive = 50
    """Number of combinations of each kind."""
    candidates: Positive = 320
    """Maximum number of heads to screen, until there are enough good and bad ones."""
    heads_together: Positive = 8
    """Candidates that a job trains together, each with every data seed."""
    combinations_together: Positive = 10
    """Combinations that a job trains together."""
    lanes: Positive = 4
    """Number of screening jobs that may run at the same time: a job waits for all but the last lanes - 1 before it, and
    does nothing if they found enough heads."""
    learned_from: Probability = 0.95
    """Accuracy from which a combination counts as having learned to copy; used in the report alone."""

    def __post_init__(self):
        super().__post_init__()
        remedy = f"at least --size, {self.size}"
        enough = "random" not in self.combined or self.random_heads >= self.size
        require(enough, "random_heads", self.random_heads, remedy)
        require("bad" not in self.combined or self.wanted >= self.size, "wanted", self.wanted, remedy)
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
