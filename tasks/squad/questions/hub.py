"""SQuAD 2.0 from the Hugging Face hub at a fixed commit: rows of id, title, context, question and answers."""

import itertools
from collections.abc import Iterator
from typing import Any

from tasks.data.commits import dataset_commit
from tasks.data.errors import DataError
from tasks.data.hub_split import load_split
from tasks.squad.questions.examples import Problems, SquadSplit
from tasks.squad.questions.files import check_usable
from tasks.squad.questions.parsing import parse_paragraph

REPO = "rajpurkar/squad_v2"
SPLITS = {"train": "train", "dev": "validation"}
SIZES = {"train": 130_319, "dev": 11_873}  # of the official SQuAD 2.0; nothing is downloaded to plan
COLUMNS = ("id", "title", "context", "question", "answers")
REMEDY = "give --data-dir DIR with train-v2.0.json and dev-v2.0.json, or --dataset builtin"


def resolve_revision() -> str:
    """The commit of the hub data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither.
    """
    return dataset_commit(REPO, REMEDY)


def read_split(split: str, revision: str) -> SquadSplit:
    """One split at one commit. Consecutive rows with one title and context are a paragraph.

    Raises:
        ValueError: for another split than train and dev.
        DataError: when the data set cannot be loaded, is cached at another commit, lacks a column, or has no usable
            question.
    """
    if split not in SPLITS:
        raise ValueError(f"SQuAD 2.0 has no split {split!r}; choose one of {', '.join(SPLITS)}")
    where = f"{REPO} ({SPLITS[split]}, {revision[:12]})"
    data = load_split(REPO, None, SPLITS[split], revision, where, REMEDY)
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
    check_usable(found, True, where)  # the hub's form has no is_impossible: no answers mean impossible
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
