"""The stages `squad_windows` and `squad_data` as the plan sees them: parameters, tables, jobs. Imports no torch.

The windows of a data set are an artifact that all jobs of the same questions, tokenizer, lengths and limits share.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Job, Stage, TableSpec, column
from tasks.data.places import places
from tasks.data.sources import Source
from tasks.data.tokenizers import locate_tokenizer
from tasks.squad.questions.sources import locate

DATASETS: tuple[str, ...] = ("squad_v2", "builtin")
SPLITS: tuple[str, ...] = ("train", "dev")
MAX_SPECIALS = 4  # <s> question </s></s> context </s>; BERT-like tokenizers have three special tokens
WINDOWS_A_QUESTION = 1.05  # SQuAD 2.0 at 384 tokens and steps of 128: 6,398 windows of 6,078 questions


@dataclass(frozen=True, kw_only=True)
class WindowsParams:
    """Everything that shapes the windows, beside the fingerprint of the questions."""

    dataset: Literal["squad_v2", "builtin"]
    tokenizer: str
    """Its name; the directory's own name for a local one."""
    tokenizer_revision: str
    """Hash of its content, or the hub's commit."""
    max_length: int
    """Tokens of a window, with the question and the special ones."""
    doc_stride: int
    """Context tokens from the start of one window to the start of the next. (Not their overlap.)"""
    max_query_length: int
    """Tokens of a question; the rest is cut."""
    train_limit: int | None = None
    """Questions to train on at most, of paragraphs in a fixed random order: a smaller limit's are among a larger's."""
    dev_limit: int | None = None
    """The same for dev."""

    def __post_init__(self):
        if self.dataset not in DATASETS:
            raise ValueError(f"dataset is {self.dataset!r}; choose one of {', '.join(DATASETS)}")
        for name in ("max_length", "doc_stride", "max_query_length", "train_limit", "dev_limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1")
        check_room(self.max_length, self.doc_stride, self.max_query_length, MAX_SPECIALS)

    def limit(self, split: str) -> int | None:
        return self.train_limit if split == "train" else self.dev_limit


def check_room(max_length: int, doc_stride: int, max_query_length: int, n_specials: int) -> None:
    """Whether the longest question leaves room for context, and no context token falls between two windows.

    Raises:
        ValueError: with the numbers when not.
    """
    capacity = max_length - max_query_length - n_specials
    if capacity < 1:
        raise ValueError(
            f"max_length is {max_length}; expected over max_query_length + {n_specials} special tokens = "
            f"{max_query_length + n_specials}, or a long question leaves no room for its context"
        )
    if doc_stride > capacity:
        raise ValueError(
            f"doc_stride is {doc_stride}, and a window beside the longest question holds {capacity} context tokens "
            f"(max_length {max_length} - max_query_length {max_query_length} - {n_specials} special tokens): the "
            f"tokens between two windows would never be seen; give at most {capacity}"
        )


@dataclass(frozen=True, kw_only=True)
class DataParams(WindowsParams):
    """Those of the windows that are counted: they become columns."""


DATA = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "train or dev"),
            column("metric", pa.string(), "what is counted; problem_* are questions or answers with a fault"),
            column("value", pa.float64(), "the count; of `longest` the tokens of the longest window"),
        ]
    ),
    key=("split", "metric"),
    doc="What the windows are made of: questions, answers, windows, tokens, and faults of the data by kind.",
)

DATA_PROBLEMS = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "train or dev"),
            column("kind", pa.string(), "kind of the fault, as in the metric problem_<kind> of the table data"),
            column("question_id", pa.string(), "id of the question; empty where it has none, cut after 200 characters"),
            column("place", pa.string(), "file, article, paragraph, question and answer, each counted from 1"),
            column("said", pa.string(), "what is wrong and what was done about it"),
        ]
    ),
    key=("split", "kind", "question_id", "place"),
    doc="Faults of the questions, at most 1,000 of a kind and split; the table data has their numbers.",
)

WINDOWS = Stage(
    name="squad_windows", function="tasks.squad.questions.stages:squad_windows", params=WindowsParams, artifact=True
)
SQUAD_DATA = Stage(
    name="squad_data",
    function="tasks.squad.questions.stages:squad_data",
    params=DataParams,
    tables={"data": DATA, "data_problems": DATA_PROBLEMS},
)


def windows_job(
    dataset: str,
    data_dir: str | None,
    tokenizer: str,
    *,
    max_length: int,
    doc_stride: int,
    max_query_length: int,
    train_limit: int | None,
    dev_limit: int | None,
) -> Job:
    """The job that cuts the questions into windows. Where data and tokenizer lie is no part of its identity.

    Raises:
        ValueError: for an unknown data set, or lengths that do not go together.
        DataError: when data or tokenizer are missing, or the data are unusable.
    """
    ref = locate_tokenizer(tokenizer)
    params = WindowsParams(
        dataset=dataset,  # pyright: ignore[reportArgumentType]  # __post_init__ checks it
        tokenizer=ref.name,
        tokenizer_revision=ref.revision,
        max_length=max_length,
        doc_stride=doc_stride,
        max_query_length=max_query_length,
        train_limit=train_limit,
        dev_limit=dev_limit,
    )
    source = locate(dataset, data_dir)
    return Job(stage=WINDOWS, params=params, fingerprints={dataset: source.fingerprint}, paths=places(source, ref))


def data_job(windows: Job) -> Job:
    """The job that makes the tables `data` and `data_problems` of the windows of another job."""
    params = DataParams(**dataclasses.asdict(windows.params))
    return Job(stage=SQUAD_DATA, params=params, needs={"windows": windows}, fingerprints=windows.fingerprints)


def planned_windows(source: Source, train_limit: int | None, dev_limit: int | None) -> dict[str, int]:
    """About how many windows each split has after the limits, for the cost of a plan: nothing is tokenised for it."""
    limits = {"train": train_limit, "dev": dev_limit}
    questions = {split: min(size, limits[split] or size) for split, size in source.sizes.items()}
    return {split: math.ceil(number * WINDOWS_A_QUESTION) for split, number in questions.items()}
