"""Where the questions come from, and what they are: builtin ones, JSON files, or the hub. Imports no torch.

`builtin` needs nothing; `squad_v2` is read from `--data-dir` where one is given, else from the hub; nothing is
substituted for what is missing.
"""

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.data.errors import DataError
from tasks.data.hub_data import dataset_commit, load_split
from tasks.data.places import Place, Source, State, file_states
from tasks.squad.questions import builtin, files
from tasks.squad.questions.examples import Problems, SquadSplit, parse_paragraph

REPO = "rajpurkar/squad_v2"
HUB_SPLITS = {"train": "train", "dev": "validation"}
HUB_SIZES = {"train": 130_319, "dev": 11_873}  # of the official SQuAD 2.0; nothing is downloaded to plan
COLUMNS = ("id", "title", "context", "question", "answers")
REMEDY = "give --data-dir DIR with train-v2.0.json and dev-v2.0.json, or --dataset builtin"


def locate(dataset: str, data_dir: str | None) -> Source:
    """Find the questions, take their fingerprint and count them; `sizes` are questions.

    Files are read whole, so that a bad one is refused before a sweep starts, and again only when one has changed.

    Raises:
        ValueError: for an unknown data set.
        DataError: when the directory or a file in it is missing, when files are bad, or when the hub can be reached
            neither over the network nor in its cache.
    """
    if dataset == "builtin":
        return Source(task=dataset, kind="builtin", fingerprint=builtin.fingerprint(), sizes=builtin.sizes())
    if dataset != "squad_v2":
        raise ValueError(f"dataset is {dataset!r}; choose squad_v2 or builtin")
    if data_dir is None:
        return Source(task=dataset, kind="hub", fingerprint=dataset_commit(REPO, REMEDY), sizes=HUB_SIZES)
    root = Path(data_dir).expanduser().absolute()
    if not root.is_dir():
        raise DataError(f"{root}: no such directory; {REMEDY}")
    return _files_source(dataset, root, file_states(files.split_file(split, root) for split in files.NAMES))


def fingerprint(place: Place) -> str:
    """The fingerprint of the questions on this machine, to be compared with the planned one.

    Raises:
        DataError: when files are missing.
    """
    return place.pick(builtin.fingerprint, files.fingerprint, str)


def read(split: str, place: Place) -> SquadSplit:
    """One split from the place that `locate` found.

    Raises:
        ValueError: for an unknown split.
        DataError: for bad or missing data.
    """
    return place.pick(
        lambda: builtin.read_split(split),
        lambda root: files.read_split(split, root),
        lambda commit: read_hub(split, commit),
    )


@functools.cache
def _files_source(dataset: str, root: Path, state: State) -> Source:
    return Source(
        task=dataset,
        kind="files",
        fingerprint=files.fingerprint(root),
        sizes={split: files.read_split(split, root).n_questions for split in files.NAMES},
        path=str(root),
    )


def read_hub(split: str, revision: str) -> SquadSplit:
    """One split of the hub's data set at one commit. Consecutive rows with one title and context are a paragraph.

    Raises:
        ValueError: for another split than train and dev.
        DataError: when the data set cannot be loaded, is cached at another commit, lacks a column, or has no usable
            question.
    """
    if split not in HUB_SPLITS:
        raise ValueError(f"SQuAD 2.0 has no split {split!r}; choose one of {', '.join(HUB_SPLITS)}")
    where = f"{REPO} ({HUB_SPLITS[split]}, {revision[:12]})"
    data = load_split(REPO, None, HUB_SPLITS[split], revision, where, REMEDY)
    missing = [name for name in COLUMNS if name not in data.column_names]
    if missing:
        found = ", ".join(data.column_names)
        raise DataError(f"{where}: no column {', '.join(missing)}, found {found}; {REMEDY}")
    problems, seen, paragraphs = Problems(), set(), []
    groups = itertools.groupby(enumerate(_rows(data), start=1), key=lambda row: (row[1]["title"], row[1]["context"]))
    for (title, context), rows in groups:
        group = list(rows)
        place = f"{where}, rows from {group[0][0]}"
        questions = [_question(row) for _, row in group]
        parsed = parse_paragraph(str(title), context, questions, place, seen, problems)
        if parsed is not None:
            paragraphs.append(parsed)
    found = SquadSplit(tuple(paragraphs), problems)
    files.check_usable(found, True, where)  # the hub's form has no is_impossible: no answers mean impossible
    return found


def _rows(data: Any) -> Iterator[dict[str, Any]]:
    for start in range(0, len(data), 1000):
        batch = data[start : start + 1000]
        yield from ({name: batch[name][at] for name in COLUMNS} for at in range(len(batch["id"])))


def _question(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the files would write it."""
    answers = row["answers"]
    if isinstance(answers, dict) and isinstance(answers.get("text"), list):
        starts = answers.get("answer_start")
        starts = starts if isinstance(starts, list) else []
        pairs = itertools.zip_longest(answers["text"], starts)
        answers = [{"text": text, "answer_start": start} for text, start in pairs]
    return {"id": row["id"], "question": row["question"], "answers": answers}
