"""The stages `squad_windows` and `squad_data` as the plan sees them: parameters, tables, jobs. Imports no torch.

The windows of a data set are an artifact that all jobs of the same questions, tokenizer, lengths and limits share.
"""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Job, Stage, TableSpec, column
from orchestrator.limits import Limited, Positive, require, shared
from tasks.data.places import places
from tasks.data.tokenizers import locate_tokenizer
from tasks.squad.questions.examples import FAULTS
from tasks.squad.questions.sources import locate

SPLITS: tuple[str, ...] = ("train", "dev")
MAX_SPECIALS = 4  # <s> question </s></s> context </s>; BERT-like tokenizers have three special tokens
WINDOWS_A_QUESTION = 1.05  # SQuAD 2.0 at 384 tokens and steps of 128: 6,398 windows of 6,078 questions


@dataclass(frozen=True, kw_only=True)
class Dataset(Limited):
    """Which questions are read."""

    dataset: Literal["squad_v2", "builtin"] = "squad_v2"
    """squad_v2: --data-dir, else the hub's rajpurkar/squad_v2; builtin: questions on Python's own documentation."""


@dataclass(frozen=True, kw_only=True)
class WindowSizes(Limited):
    """How a long context is cut into windows that a model can read."""

    max_length: Positive = 384
    """Maximum length of a window in tokens, question and special tokens included."""
    doc_stride: Positive = 128
    """Context tokens from the start of one window to the start of the next (the stride of run_squad)."""
    max_query_length: Positive = 64
    """Maximum number of question tokens; the rest is cut."""


@dataclass(frozen=True, kw_only=True)
class TrainQuestions(Limited):
    """How many questions are trained on."""

    train_limit: Positive | None = None
    """Maximum number of training questions, of paragraphs in a fixed random order; None: all."""


@dataclass(frozen=True, kw_only=True)
class DevQuestions(Limited):
    """How many questions are evaluated on."""

    dev_limit: Positive | None = None
    """Maximum number of dev questions, chosen likewise; None: all."""


@dataclass(frozen=True, kw_only=True)
class QuestionOptions(DevQuestions, TrainQuestions, WindowSizes, Dataset):
    """Which questions are cut into which windows."""

    data_dir: str | None = None
    """Directory with train-v2.0.json and dev-v2.0.json, the official files or those of CS224N."""

    def __post_init__(self):
        super().__post_init__()
        fine = self.dataset != "builtin" or self.data_dir is None
        require(fine, "data_dir", self.data_dir, "none with the dataset builtin, or --dataset squad_v2")


@dataclass(frozen=True, kw_only=True)
class _Tokenizer(Limited):
    tokenizer: str
    """Name of the tokenizer; the directory's own name for a local one."""
    tokenizer_revision: str
    """Hash of the tokenizer's content, or the hub's commit."""


@dataclass(frozen=True, kw_only=True)
class WindowsParams(DevQuestions, TrainQuestions, WindowSizes, _Tokenizer, Dataset):
    """Everything that shapes the windows, beside the fingerprint of the questions."""

    def __post_init__(self):
        super().__post_init__()
        require(self.dataset in ("squad_v2", "builtin"), "dataset", self.dataset, "squad_v2 or builtin")
        check_room(self, MAX_SPECIALS)

    def limit(self, split: str) -> int | None:
        return self.train_limit if split == "train" else self.dev_limit


def check_room(sizes: WindowSizes, n_specials: int) -> None:
    """Whether the longest question leaves room for context, and no context token falls between two windows.

    Raises:
        ValueError: with the numbers when not.
    """
    taken = sizes.max_query_length + n_specials
    remedy = f"over {taken}: a question of {sizes.max_query_length} tokens, {n_specials} special ones and some context"
    require(sizes.max_length > taken, "max_length", sizes.max_length, remedy)
    room = sizes.max_length - taken
    remedy = f"at most {room}, the context tokens beside the longest question, or some are in no window"
    require(sizes.doc_stride <= room, "doc_stride", sizes.doc_stride, remedy)


@dataclass(frozen=True, kw_only=True)
class DataParams(WindowsParams):
    """The settings of the windows that are counted: they become columns."""


PROBLEM = "problem_"
"""How the metrics of the table data begin that count faults."""

DATA = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "train or dev"),
            column("metric", pa.string(), "what is counted; problem_* are questions or answers with a fault"),
            column("value", pa.float64(), "the count; for longest, tokens of the longest window"),
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
    name="squad_windows", function="tasks.squad.questions.prepare:squad_windows", params=WindowsParams, artifact=True
)
SQUAD_DATA = Stage(
    name="squad_data",
    function="tasks.squad.questions.prepare:squad_data",
    params=DataParams,
    tables={"data": DATA, "data_problems": DATA_PROBLEMS},
)


def windows_job(options: QuestionOptions, tokenizer: str) -> Job:
    """The job that cuts the questions into windows. Where data and tokenizer lie is no part of its identity.

    Raises:
        ValueError: lengths that do not go together.
        DataError: when data or tokenizer are missing, or the data are unusable.
    """
    ref = locate_tokenizer(tokenizer)
    params = WindowsParams(**shared(options, WindowsParams), tokenizer=ref.name, tokenizer_revision=ref.revision)
    source = locate(options.dataset, options.data_dir)
    return Job(
        stage=WINDOWS, params=params, fingerprints={options.dataset: source.fingerprint}, paths=places(source, ref)
    )


def data_job(windows: Job) -> Job:
    """The job that makes the tables `data` and `data_problems` of the windows of another job."""
    params = DataParams(**dataclasses.asdict(windows.params))
    return Job(stage=SQUAD_DATA, params=params, needs={"windows": windows}, fingerprints=windows.fingerprints)


def planned_windows(options: QuestionOptions) -> dict[str, int]:
    """About how many windows each split has after the limits, for the cost of a plan: nothing is tokenised for it."""
    limits = {"train": options.train_limit, "dev": options.dev_limit}
    sizes = locate(options.dataset, options.data_dir).sizes
    questions = {split: min(size, limits[split] or size) for split, size in sizes.items()}
    return {split: math.ceil(number * WINDOWS_A_QUESTION) for split, number in questions.items()}


def fault_notes(rows: Iterable[tuple[str, str, float]]) -> list[str]:
    """A sentence on each kind of fault, from (split, metric, value) of the table data."""
    found = []
    for split, metric, value in dict.fromkeys(rows):
        kind = metric.removeprefix(PROBLEM)
        if kind != metric and value:
            found.append(f"{split}: {value:,.0f} {FAULTS.get(kind, kind)} (table data_problems, kind {kind}).")
    return found
