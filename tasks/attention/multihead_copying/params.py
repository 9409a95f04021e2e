"""What the stages of `multihead_copying` take and write: their parameters and their tables. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.attention.copying.params import CopyingParams
from tasks.attention.multihead_copying.schedule import COMBINED, Combined

VERDICTS = "verdicts.json"
"""What `screen_heads` writes as its artifact: head -> good, bad or neither."""


@dataclass(frozen=True, kw_only=True)
class MultiHeadParams(CopyingParams):
    """Multi-head copy models on one base, and by what a head is judged (attention_dynamics 4.3)."""

    evaluation_sequences: int = 400
    """Of the one set that every model is evaluated on."""
    base_seed: int = 0
    """Of the base's initial weights, the heads' and the evaluation set, a stream each."""

    @property
    def updates(self) -> int:
        """Updates before the last evaluation, which stands before the update of its step."""
        return self.last_step


@dataclass(frozen=True, kw_only=True)
class ScreenHeadsParams(MultiHeadParams):
    """A block of candidate heads, each trained alone with each data seed."""

    heads: tuple[int, ...]
    """Numbers of the block's candidates."""
    data_seeds: tuple[int, ...] = (0, 1, 2)
    """Of training data. A head is good or bad where all of them say so."""
    good_above: float = 0.95
    """A training is good at the first evaluation with an accuracy above this, and stops there."""
    bad_below: float = 0.6
    """A training that never was good is bad with an accuracy below this at the last evaluation (quirk S8)."""
    wanted: int = 20
    """The block is left out when the blocks that it knows of hold so many good and so many bad heads."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("heads", "data_seeds"):
            numbers = getattr(self, name)
            if not numbers or len(set(numbers)) != len(numbers) or min(numbers) < 0:
                raise ValueError(f"{name} is {numbers}: give at least one, each once, from 0")
        if self.wanted < 1:
            raise ValueError(f"wanted is {self.wanted}: give at least 1")
        if not 0 <= self.bad_below <= self.good_above < 1:
            raise ValueError(
                f"bad_below {self.bad_below} and good_above {self.good_above}: give 0 <= bad_below <= good_above < 1"
            )


@dataclass(frozen=True, kw_only=True)
class CombineHeadsParams(MultiHeadParams):
    """A block of combinations of one kind, each trained with one data seed."""

    combined: Combined
    """bad: of bad heads alone; good: the last is a good one; random: heads that were not screened."""
    combinations: tuple[int, ...]
    """Numbers of the block's combinations."""
    size: int = 8
    """M heads of a combination."""
    wanted: int = 20
    """So many bad and so many good heads, the first by number, are drawn from."""
    random_heads: int = 30
    """So many random heads are drawn from."""
    data_seed: int = 0
    """Of training data."""

    def __post_init__(self):
        super().__post_init__()
        if self.combined not in COMBINED:
            raise ValueError(f"combined is {self.combined!r}; choose {', '.join(COMBINED)}")
        numbers = self.combinations
        if not numbers or len(set(numbers)) != len(numbers) or min(numbers) < 0:
            raise ValueError(f"combinations is {numbers}: give at least one, each once, from 0")
        if self.size < 2 or self.wanted < 1:
            raise ValueError(f"size {self.size}, wanted {self.wanted}: give at least 2 and 1")


_ACCURACY = (
    "share of target positions, the end symbol's included, whose most probable symbol is right, given the right ones "
    "before it; in [0, 1]"
)
_STEP = "updates that the weights have had: evaluations stand before the update of their step, as published"

SCREENING = TableSpec(
    schema=pa.schema(
        [
            column("head", pa.int64(), "number of the candidate"),
            column("data_seed", pa.int64(), "of the training data"),
            column("step", pa.int64(), _STEP),
            column("accuracy", pa.float64(), _ACCURACY),
            column(
                "attention_accuracy",
                pa.float64(),
                "share of target positions, the end symbol's left out, at which the head's attention is greatest on "
                "the symbol to be copied; in [0, 1]",
            ),
        ]
    ),
    key=("head", "data_seed", "step"),
    doc="Learning curves of candidate heads, each alone; a training ends where it is good.",
)
HEADS = TableSpec(
    schema=pa.schema(
        [
            column("head", pa.int64(), "number of the candidate"),
            column("data_seed", pa.int64(), "of the training data"),
            column("outcome", pa.string(), "of this training: good, bad or undecided"),
            column("decided", pa.int64(), "step of the evaluation that decided"),
            column("accuracy", pa.float64(), f"there: {_ACCURACY}"),
            column("verdict", pa.string(), "of the head: good or bad where all data seeds say so, else neither"),
        ]
    ),
    key=("head", "data_seed"),
    doc="What became of each candidate with each data seed.",
)
BLOCKS = TableSpec(
    schema=pa.schema(
        [
            column("first_head", pa.int64(), "number of the block's first candidate"),
            column("needed", pa.bool_(), "false: the blocks before held enough heads, nothing was trained"),
            column("good_before", pa.int64(), "good heads in the blocks that this one knows of"),
            column("bad_before", pa.int64(), "bad heads there"),
            column("at_once", pa.int64(), "models trained together: fewer where memory is short"),
            column("screen_seconds", pa.float64(), "of training and evaluation"),
        ]
    ),
    key=("first_head",),
    doc="Which blocks of candidates were trained, and what that cost.",
)
COMBINATIONS = TableSpec(
    schema=pa.schema(
        [
            column("combination", pa.int64(), "its number, of its kind"),
            column("step", pa.int64(), _STEP),
            column("accuracy", pa.float64(), _ACCURACY),
        ]
    ),
    key=("combination", "step"),
    doc="Learning curves of combinations.",
)
ATTENTION = TableSpec(
    schema=pa.schema(
        [
            column("combination", pa.int64(), "its number, of its kind"),
            column("step", pa.int64(), _STEP),
            column("place", pa.int64(), "of the head in the model, from 0; the last one of kind good is the good one"),
            column("head", pa.int64(), "its number: of the candidates, or of the random heads"),
            column(
                "attention_accuracy",
                pa.float64(),
                "share of target positions, the end symbol's left out, at which this head's attention is greatest on "
                "the symbol to be copied; in [0, 1]",
            ),
            column("attention_late", pa.float64(), "the same one position late (published: m1)"),
        ]
    ),
    key=("combination", "step", "place"),
    doc="Where each head of a combination points.",
)
STOCK = TableSpec(
    schema=pa.schema(
        [
            column("first_combination", pa.int64(), "number of the block's first combination"),
            column("good_found", pa.int64(), "good heads that there are to draw from, at most wanted"),
            column("bad_found", pa.int64(), "bad heads that there are to draw from, at most wanted"),
            column("enough", pa.bool_(), "false: too few heads for a combination of this kind; nothing was trained"),
            column("at_once", pa.int64(), "models trained together: fewer where memory is short"),
            column("combine_seconds", pa.float64(), "of training and evaluation"),
        ]
    ),
    key=("first_combination",),
    doc="From how many heads each block of combinations drew, and what it cost.",
)
SCREEN_HEADS = Stage(
    name="screen_heads",
    function="tasks.attention.multihead_copying.screening:screen_heads",
    params=ScreenHeadsParams,
    tables={"screening": SCREENING, "heads": HEADS, "head_blocks": BLOCKS},
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
COMBINE_HEADS = Stage(
    name="combine_heads",
    function="tasks.attention.multihead_copying.combining:combine_heads",
    params=CombineHeadsParams,
    tables={"combinations": COMBINATIONS, "attention": ATTENTION, "combination_blocks": STOCK},
    resources=Resources(num_cpus=1, num_gpus=1),
)
