"""What the stages of `multihead_copying` take and write: their parameters and their tables. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
from annotated_types import Ge

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import Positive, Several
from tasks.attention.copying.options import ACCURACY_COLUMN, AT_ONCE, CopyingParams
from tasks.attention.multihead_copying.config import BasedTraining, Combination, Combined, Judgement

VERDICTS = "verdicts.json"
"""What `screen_heads` writes as its artifact: head -> good, bad or neither."""


@dataclass(frozen=True, kw_only=True)
class MultiHeadParams(BasedTraining, CopyingParams):
    """Multi-head copy models on one base (README 5)."""


@dataclass(frozen=True, kw_only=True)
class ScreenHeadsParams(Judgement, MultiHeadParams):
    """A block of candidate heads, each trained alone with each data seed."""

    heads: Annotated[Several[int], Ge(0)]
    """Numbers of the block's candidates."""
    wanted: Positive = 20
    """The block is skipped when the blocks that it knows of hold so many good and so many bad heads."""


@dataclass(frozen=True, kw_only=True)
class _Combinations(MultiHeadParams):
    combined: Combined
    """bad: of bad heads alone; good: the last is a good one; random: heads that were not screened."""
    combinations: Annotated[Several[int], Ge(0)]
    """Numbers of the block's combinations."""


@dataclass(frozen=True, kw_only=True)
class CombineHeadsParams(Combination, _Combinations):
    """A block of combinations of one kind, each trained with one data seed."""

    data_seed: int = 0
    """Random seed of training data."""


_ATTENTION = column(
    "attention_accuracy",
    pa.float64(),
    "share of target positions, the end symbol's left out, at which the head's attention is greatest on the symbol to "
    "be copied; in [0, 1]",
)
_HEAD = column("head", pa.int64(), "number of the candidate")
_DATA_SEED = column("data_seed", pa.int64(), "random seed of the training data")
_STEP = column("step", pa.int64(), "updates so far: evaluations stand before the update of their step, as published")
_COMBINATION = column("combination", pa.int64(), "number of the combination among those of its kind")

SCREENING = TableSpec(
    schema=pa.schema([_HEAD, _DATA_SEED, _STEP, ACCURACY_COLUMN, _ATTENTION]),
    key=("head", "data_seed", "step"),
    doc="Learning curves of candidate heads, each alone; a training ends where it is good.",
)
HEADS = TableSpec(
    schema=pa.schema(
        [
            _HEAD,
            _DATA_SEED,
            column("outcome", pa.string(), "outcome of this training: good, bad or undecided"),
            column("decided", pa.int64(), "step of the evaluation that decided, whose accuracy this is"),
            ACCURACY_COLUMN,
            column("verdict", pa.string(), "the head is good or bad if it is with all data seeds, else neither"),
        ]
    ),
    key=("head", "data_seed"),
    doc="Outcome of each candidate with each data seed.",
)
BLOCKS = TableSpec(
    schema=pa.schema(
        [
            column("first_head", pa.int64(), "number of the block's first candidate"),
            column("needed", pa.bool_(), "false: the blocks before held enough heads, nothing was trained"),
            column("good_before", pa.int64(), "good heads in the blocks that this one knows of"),
            column("bad_before", pa.int64(), "bad heads there"),
            AT_ONCE,
            column("screen_seconds", pa.float64(), "training and evaluation time"),
        ]
    ),
    key=("first_head",),
    doc="Which blocks of candidates were trained, and what that cost.",
)
COMBINATIONS = TableSpec(
    schema=pa.schema([_COMBINATION, _STEP, ACCURACY_COLUMN]),
    key=("combination", "step"),
    doc="Learning curves of combinations.",
)
ATTENTION = TableSpec(
    schema=pa.schema(
        [
            _COMBINATION,
            _STEP,
            column("place", pa.int64(), "position in the model, from 0; the last head of kind good is the good one"),
            column("head", pa.int64(), "number of the head among candidates or random heads"),
            _ATTENTION,
            column("attention_late", pa.float64(), "share with the maximum one position late (published: m1)"),
        ]
    ),
    key=("combination", "step", "place"),
    doc="Attention accuracy of each head of a combination.",
)
STOCK = TableSpec(
    schema=pa.schema(
        [
            column("first_combination", pa.int64(), "number of the block's first combination"),
            column("good_found", pa.int64(), "good heads available, at most wanted"),
            column("bad_found", pa.int64(), "bad heads available, at most wanted"),
            column("enough", pa.bool_(), "false: too few heads for a combination of this kind; nothing was trained"),
            AT_ONCE,
            column("combine_seconds", pa.float64(), "training and evaluation time"),
        ]
    ),
    key=("first_combination",),
    doc="From how many heads each block of combinations drew, and what it cost.",
)
SCREEN_HEADS = Stage(
    name="screen_heads",
    function="tasks.attention.multihead_copying.training:screen_heads",
    params=ScreenHeadsParams,
    tables={"screening": SCREENING, "heads": HEADS, "head_blocks": BLOCKS},
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
COMBINE_HEADS = Stage(
    name="combine_heads",
    function="tasks.attention.multihead_copying.training:combine_heads",
    params=CombineHeadsParams,
    tables={"combinations": COMBINATIONS, "attention": ATTENTION, "combination_blocks": STOCK},
    resources=Resources(num_cpus=1, num_gpus=1),
)
