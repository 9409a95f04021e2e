"""What is copied, as `distinct-60` or `permutation-40`, and how copy models are trained (README 4).

Imports no torch.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

import pyarrow as pa
from annotated_types import Ge

from orchestrator.experiment import column
from orchestrator.limits import AboveZero, Limited, Positive, require

Kind = Literal["permutation", "distinct", "repeat"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ACCURACY = (
    "share of target positions, the end symbol's included, whose most probable symbol is right, given the right ones "
    "before it"
)
"""For captions."""
ACCURACY_COLUMN = column("accuracy", pa.float64(), ACCURACY)
AT_ONCE = column("at_once", pa.int64(), "models trained together: fewer where memory is short")


@dataclass(frozen=True, kw_only=True)
class Setting(Limited):
    """A way to draw sequences from a number of symbols."""

    kind: Kind
    """permutation: every symbol once; distinct: some of the symbols, each at most once; repeat: with replacement."""
    symbols: Annotated[int, Ge(2)]
    """Number of symbols V, 0 to V - 1; V is the end symbol, V + 1 the start symbol."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.symbols}"

    def check_length(self, length: int) -> None:
        """Refuse sequences that the setting does not have; the published code makes them shorter (README 4).

        Raises:
            ValueError: with what to give instead.
        """
        if self.kind == "permutation":
            remedy = f"{self.symbols} with {self.name}, or copy permutation-{length} or distinct-{self.symbols}"
            require(length == self.symbols, "length", length, remedy)
        if self.kind == "distinct":
            more = length * 3 // 2 if length > 1 else 2
            remedy = f"less than {self.symbols} with {self.name}, or copy distinct-{more} or permutation-{length}"
            require(length < self.symbols, "length", length, remedy)


def parse_setting(name: str) -> Setting:
    """The setting that a name like `distinct-60` stands for.

    Raises:
        ValueError: for another form.
    """
    kind, dash, symbols = name.partition("-")
    if kind not in KINDS or not dash or not symbols.isdecimal():
        raise ValueError(f"{name!r} is no setting: write KIND-SYMBOLS, with a kind of {', '.join(KINDS)}")
    return Setting(kind=kind, symbols=int(symbols))


@dataclass(frozen=True, kw_only=True)
class Training(Limited):
    """Size and training of a copy model."""

    length: Positive = 40
    """Sequence length in symbols; the end symbol comes on top."""
    hidden: Positive = 256
    """Width of embeddings, recurrent layers and attention."""
    batch: Positive = 128
    """Batch size; sequences are freshly drawn for every update."""
    learning_rate: AboveZero = 1e-3
    """Learning rate of Adam."""
    steps: Positive = 200
    """Training steps; updates after the last evaluation are skipped, because nothing reads them."""
    evaluate_every: Positive = 10
    """Steps between evaluations."""

    @property
    def last_step(self) -> int:
        """The step of the last evaluation: 190 of 200."""
        return (self.steps - 1) // self.evaluate_every * self.evaluate_every


@dataclass(frozen=True, kw_only=True)
class CopyingParams(Training, Setting):
    """What the stages of both experiments have in common: what is copied, and how a model is trained on it."""

    evaluation_sequences: Positive
    """Number of sequences in an evaluation."""

    def __post_init__(self):
        super().__post_init__()
        self.check_length(self.length)

    def passes(self, updates: int, models: int) -> int:
        """Layer applications to a sequence that so many updates of so many models take: encoder and decoder."""
        return 2 * self.batch * updates * models
