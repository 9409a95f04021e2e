"""GLUE from the hub data set `nyu-mll/glue`, by commit.

The hub writes the same examples as the official files, in other columns and for MNLI with another order of the labels;
labels are therefore matched by name, never by number.
"""

from collections.abc import Sequence
from typing import Any

from tasks.data.errors import DataError
from tasks.data.examples import Examples, TaskInfo, glue_info
from tasks.data.hub_data import dataset_commit, load_split

REPO = "nyu-mll/glue"


COLUMNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "CoLA": ("cola", ("sentence",)),
    "SST-2": ("sst2", ("sentence",)),
    "MRPC": ("mrpc", ("sentence1", "sentence2")),
    "STS-B": ("stsb", ("sentence1", "sentence2")),
    "QQP": ("qqp", ("question1", "question2")),
    "MNLI": ("mnli", ("premise", "hypothesis")),
    "QNLI": ("qnli", ("question", "sentence")),
    "RTE": ("rte", ("sentence1", "sentence2")),
    "WNLI": ("wnli", ("sentence1", "sentence2")),
}
"""Configuration of each task on the hub, and the columns of its texts."""

SPLITS = {
    "train": "train",
    "dev": "validation",
    "dev_matched": "validation_matched",
    "dev_mismatched": "validation_mismatched",
}

SIZES: dict[str, dict[str, int]] = {  # of the published GLUE; the plan counts encoder passes without a download
    "CoLA": {"train": 8551, "dev": 1043},
    "SST-2": {"train": 67349, "dev": 872},
    "MRPC": {"train": 3668, "dev": 408},
    "STS-B": {"train": 5749, "dev": 1500},
    "QQP": {"train": 363846, "dev": 40430},
    "MNLI": {"train": 392702, "dev_matched": 9815, "dev_mismatched": 9832},
    "QNLI": {"train": 104743, "dev": 5463},
    "RTE": {"train": 2490, "dev": 277},
    "WNLI": {"train": 635, "dev": 71},
}


def resolve_revision(task: str = "RTE") -> str:
    """The commit of the hub data set: the hub's own, or without network that of the local hub cache.

    `task` only names the file in the message.

    Raises:
        DataError: when there is neither.
    """
    return dataset_commit(REPO, _remedy(task, "train"))


def read_split(task: str, split: str, revision: str) -> Examples:
    """One split at one commit.

    Raises:
        ValueError: for a task or split that GLUE does not have.
        DataError: when the data set cannot be loaded, is cached at another commit, lacks a column, or has examples
            without a label (-1, as in GLUE's test splits).
    """
    info, (config, columns) = glue_info(task, split), COLUMNS[task]
    where = f"{REPO} ({config}, {SPLITS[split]}, {revision[:12]})"
    data = load_split(REPO, config, SPLITS[split], revision, where, _remedy(task, split))
    missing = [name for name in (*columns, "label") if name not in data.column_names]
    if missing:
        found = ", ".join(data.column_names)
        raise DataError(f"{where}: no column {', '.join(missing)}, found {found}; {_remedy(task, split)}")
    if len(data) == 0:
        raise DataError(f"{where}: no rows; {_remedy(task, split)}")
    texts = [data[name][:] for name in columns]
    labels = _labels(data["label"][:], info, data.features["label"], where)
    return Examples(first=texts[0], second=texts[1] if info.is_pair else None, labels=labels)


def _labels(raw: Sequence[Any], info: TaskInfo, feature: Any, where: str) -> list[int] | list[float]:
    """Our labels for the hub's. Rows are counted from 0, as `datasets` does."""
    if info.is_regression:
        for row, score in enumerate(raw):
            if score is None or not 0.0 <= score <= 5.0:
                raise DataError(f"{where}: row {row} has the score {score}, expected 0 to 5 (-1: no label)")
        return [float(score) for score in raw]
    names = list(getattr(feature, "names", None) or ())
    if sorted(names) != sorted(info.label_names):
        raise DataError(f"{where}: labels {names}, expected {', '.join(info.label_names)} in any order")
    ours = [info.label_names.index(name) for name in names]
    for row, label in enumerate(raw):
        if label is None or not 0 <= label < len(ours):
            raise DataError(f"{where}: row {row} has the label {label}, expected 0 to {len(ours) - 1} (-1: no label)")
    return [ours[label] for label in raw]


def _remedy(task: str, split: str) -> str:
    return f"give --data-dir DIR with the official TSV layout instead (looked for: DIR/{task}/{split}.tsv)"
