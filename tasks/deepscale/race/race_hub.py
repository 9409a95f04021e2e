"""RACE from the hub data set `ehovy/race`, by commit: a row is a question, and those of one passage stand together."""

import itertools

from tasks.data.commits import dataset_commit
from tasks.data.errors import DataError
from tasks.data.hub_split import load_split
from tasks.deepscale.race.questions import RACE, Passage, check_split, parse_passage
from tasks.deepscale.race.race_files import LEVELS

REPO = "ehovy/race"
PARTS = {"train": "train", "dev": "validation"}
SIZES = {"train": 87_866, "dev_middle": 1_436, "dev_high": 3_451}  # of the published RACE; a plan downloads nothing
COLUMNS = ("example_id", "article", "question", "options", "answer")
REMEDY = "give --data-dir DIR with the official layout instead (looked for: DIR/RACE/train/middle/*.txt and so on)"


def resolve_revision() -> str:
    """The commit of the hub data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither.
    """
    return dataset_commit(REPO, REMEDY)


def read_split(split: str, revision: str) -> list[Passage]:
    """One split at one commit, its levels one after the other.

    Raises:
        ValueError: another split.
        DataError: it cannot be loaded, is cached at another commit, lacks a column, or has a bad question.
    """
    check_split(RACE, split)
    part, _, level = split.partition("_")
    passages = []
    for name in LEVELS:
        if level in ("", name):
            passages += _level(name, PARTS[part], revision)
    return passages


def _level(level: str, part: str, revision: str) -> list[Passage]:
    where = f"{REPO} ({level}, {part}, {revision[:12]})"
    data = load_split(REPO, level, part, revision, where, REMEDY)
    if missing := [name for name in COLUMNS if name not in data.column_names]:
        found = ", ".join(data.column_names)
        raise DataError(f"{where}: no column {', '.join(missing)}, found {found}; {REMEDY}")
    if len(data) == 0:
        raise DataError(f"{where}: no rows; {REMEDY}")
    rows = zip(*(data[name][:] for name in COLUMNS), strict=True)
    passages, first = [], 0
    for (name, text), group in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
        questions = list(group)
        asked, options, answers = ([row[at] for row in questions] for at in (2, 3, 4))
        at = f"{where}, rows from {first} ({name})"
        passages.append(parse_passage(str(name), text, asked, options, answers, at))
        first += len(questions)
    return passages
