"""What a task is and what its examples look like, whatever file, hub or generator they come from."""

from dataclasses import dataclass
from typing import Literal

TaskName = Literal[
    "CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE", "WNLI", "acceptability", "same_topic", "similarity"
]
Metrics = Literal["matthews", "accuracy", "accuracy_f1", "correlation"]


@dataclass(frozen=True)
class Examples:
    """One split: N texts, or N pairs of texts, and their N labels."""

    first: list[str]
    second: list[str] | None
    """None where the task has single texts."""
    labels: list[int] | list[float]
    """Indices into `TaskInfo.label_names`, or the regression target as the source gives it (no scaling)."""

    def __post_init__(self):
        seconds = len(self.first) if self.second is None else len(self.second)
        if not len(self.first) == seconds == len(self.labels):
            raise ValueError(f"{len(self.first)} first texts, {seconds} second texts and {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class TaskInfo:
    """What a classifier and its evaluation must know of a task."""

    name: TaskName
    label_names: tuple[str, ...]
    """In the order of the label indices; empty for regression."""
    is_regression: bool = False
    is_pair: bool = True
    eval_splits: tuple[str, ...] = ("dev",)
    metrics: Metrics = "accuracy"

    @property
    def n_outputs(self) -> int:
        """Width of the classifier's last layer; 1 for regression."""
        return 1 if self.is_regression else len(self.label_names)

    @property
    def splits(self) -> tuple[str, ...]:
        """`train` and the splits that are evaluated."""
        return ("train", *self.eval_splits)


_ENTAILMENT = ("entailment", "not_entailment")

TASKS: dict[str, TaskInfo] = {
    "CoLA": TaskInfo(name="CoLA", label_names=("unacceptable", "acceptable"), is_pair=False, metrics="matthews"),
    "SST-2": TaskInfo(name="SST-2", label_names=("negative", "positive"), is_pair=False),
    "MRPC": TaskInfo(name="MRPC", label_names=("not_equivalent", "equivalent"), metrics="accuracy_f1"),
    "STS-B": TaskInfo(name="STS-B", label_names=(), is_regression=True, metrics="correlation"),
    "QQP": TaskInfo(name="QQP", label_names=("not_duplicate", "duplicate"), metrics="accuracy_f1"),
    "MNLI": TaskInfo(
        name="MNLI",
        label_names=("contradiction", "entailment", "neutral"),  # the published order; the hub's is another
        eval_splits=("dev_matched", "dev_mismatched"),
    ),
    "QNLI": TaskInfo(name="QNLI", label_names=_ENTAILMENT),
    "RTE": TaskInfo(name="RTE", label_names=_ENTAILMENT),
    "WNLI": TaskInfo(name="WNLI", label_names=("not_entailment", "entailment")),  # 0 and 1 in the files
    "acceptability": TaskInfo(
        name="acceptability", label_names=("unacceptable", "acceptable"), is_pair=False, metrics="matthews"
    ),
    "same_topic": TaskInfo(name="same_topic", label_names=("different_topic", "same_topic")),
    "similarity": TaskInfo(name="similarity", label_names=(), is_regression=True, metrics="correlation"),
}

BUILTIN_TASKS: tuple[str, ...] = ("acceptability", "same_topic", "similarity")


def glue_info(task: str, split: str) -> TaskInfo:
    """The GLUE task that has this split.

    Raises:
        ValueError: for a task that is no GLUE task, or a split that it does not have.
    """
    if task not in TASKS or task in BUILTIN_TASKS:
        raise ValueError(
            f"{task!r} is no GLUE task; choose one of {', '.join(t for t in TASKS if t not in BUILTIN_TASKS)}"
        )
    if split not in TASKS[task].splits:
        raise ValueError(f"{task} has no split {split!r}; choose one of {', '.join(TASKS[task].splits)}")
    return TASKS[task]


def task_info(task: str) -> TaskInfo:
    """The task called `task`.

    Raises:
        ValueError: for another name; the message lists the twelve.
    """
    if task not in TASKS:
        raise ValueError(f"no task is called {task!r}; choose one of {', '.join(TASKS)}")
    return TASKS[task]
