"""Where the passages and questions of a task come from, and what they are: builtin, RACE's files, or the hub's RACE.

RACE's official files are `<data dir>/RACE/{train,dev}/{middle,high}/*.txt`, each a passage as JSON with `article`,
`questions`, `options` (four a question), `answers` (A to D) and `id`. It may be had from its authors for research only,
so nothing of it ships here. The hub's `ehovy/race` is read by commit: a row is a question, and those of one passage
stand together. Imports no torch.
"""

import functools
import hashlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.data.errors import DataError
from tasks.data.hub_data import dataset_commit, load_split
from tasks.data.places import Place, Source, State, file_states
from tasks.deepscale.race import builtin
from tasks.deepscale.race.questions import CONTINUATION, RACE, SPLITS, Passage, check_split, n_questions, parse_passage

LEVELS = ("middle", "high")
KEYS = ("article", "questions", "options", "answers")
REPO = "ehovy/race"
PARTS = {"train": "train", "dev": "validation"}
SIZES = {"train": 87_866, "dev_middle": 1_436, "dev_high": 3_451}  # of the published RACE; a plan downloads nothing
COLUMNS = ("example_id", "article", "question", "options", "answer")
REMEDY = "give --data-dir DIR with the official layout instead (looked for: DIR/RACE/train/middle/*.txt and so on)"


def locate(task: str, data_dir: str | None) -> Source:
    """Find a task's data and take their fingerprint; RACE's files are read once, and again when one has changed.

    Raises:
        ValueError: for an unknown task.
        DataError: missing or bad files, or a hub that can be reached neither over the network nor in its cache.
    """
    check_split(task, "train")
    if task == CONTINUATION:
        sizes = {split: n_questions(builtin.passages(split)) for split in SPLITS[task]}
        return Source(task=task, kind="builtin", fingerprint=builtin.fingerprint(), sizes=sizes)
    if data_dir is None:
        return Source(task=task, kind="hub", fingerprint=dataset_commit(REPO, REMEDY), sizes=SIZES)
    root = Path(data_dir).expanduser().absolute()
    if not (root / RACE).is_dir():
        raise DataError(f"{root / RACE}: no such folder; give --data-dir a directory with RACE/train/middle and so on")
    content, sizes = _summary_of(root)
    return Source(task=task, kind="files", fingerprint=content, sizes=sizes, path=str(root))


def fingerprint(place: Place) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        DataError: when files are missing or bad.
    """
    return place.pick(builtin.fingerprint, lambda root: _summary_of(root)[0], str)


def read(split: str, place: Place) -> Sequence[Passage]:
    """One split from the place that `locate` found.

    Raises:
        ValueError: for an unknown split.
        DataError: for bad or missing data.
    """
    return place.pick(
        lambda: builtin.passages(split), lambda root: read_files(split, root), lambda commit: read_hub(split, commit)
    )


def levels(split: str) -> tuple[str, list[str]]:
    """The part of a split and its levels: both of train, one of dev.

    Raises:
        ValueError: another split.
    """
    check_split(RACE, split)
    part, _, level = split.partition("_")
    return part, [name for name in LEVELS if not level or name == level]


def folders(split: str, data_dir: Path) -> list[Path]:
    """The folders of a split."""
    part, names = levels(split)
    return [data_dir / RACE / part / name for name in names]


def read_files(split: str, data_dir: Path) -> list[Passage]:
    """The passages of a split, in the order of levels and file names.

    Raises:
        ValueError: another split.
        DataError: a missing or empty folder, bytes that are not UTF-8, no JSON, a missing key, or a bad question; with
            file and question.
    """
    return [_parse(path, content) for path, content in _files(split, data_dir)]


def _summary_of(root: Path) -> tuple[str, dict[str, int]]:
    """(fingerprint, questions of each split), computed again when a file has changed."""
    places = {folder for split in SPLITS[RACE] for folder in folders(split, root)}
    return _summary(root, file_states(sorted(path for folder in places for path in folder.glob("*.txt"))))


@functools.cache
def _summary(root: Path, state: State) -> tuple[str, dict[str, int]]:
    """16 hex digits of SHA-256 over names, sizes and bytes of all files, and questions of each split.

    Every file is parsed, so that what is wrong with one shows before anything runs.
    """
    digest, sizes = hashlib.sha256(), {}
    for split in SPLITS[RACE]:
        sizes[split] = 0
        for path, content in _files(split, root):
            digest.update(f"{split}/{path.parent.name}/{path.name} {len(content)}\n".encode())
            digest.update(content)
            sizes[split] += n_questions([_parse(path, content)])
    return digest.hexdigest()[:16], sizes


def _files(split: str, data_dir: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in folders(split, data_dir):
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; expected the official layout, DIR/RACE/train/middle and so on")
        paths = sorted(folder.glob("*.txt"), key=lambda path: path.name)
        if not paths:
            raise DataError(f"{folder}: no *.txt in it; expected a file a passage, unpack RACE.tar.gz again")
        for path in paths:
            yield path, path.read_bytes()


def _parse(path: Path, content: bytes) -> Passage:
    try:
        given = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise DataError(
            f"{path}: byte 0x{content[problem.start]:02x} at {problem.start} is not UTF-8; convert the file to UTF-8"
        ) from None
    except ValueError as problem:
        raise DataError(f"{path}: not JSON ({problem}); get the file again") from None
    if not isinstance(given, dict):
        raise DataError(f"{path}: a JSON {type(given).__name__}, expected an object with {', '.join(KEYS)}")
    if missing := [key for key in KEYS if key not in given]:
        raise DataError(f"{path}: the key {' and the key '.join(map(repr, missing))} is missing; get the file again")
    name = given["id"] if isinstance(given.get("id"), str) else path.name
    article, questions, options, answers = (given[key] for key in KEYS)
    return parse_passage(name, article, questions, options, answers, str(path))


def read_hub(split: str, revision: str) -> list[Passage]:
    """One split at one commit, its levels one after the other.

    Raises:
        ValueError: another split.
        DataError: it cannot be loaded, is cached at another commit, lacks a column, or has a bad question.
    """
    part, names = levels(split)
    return [passage for name in names for passage in _level(name, PARTS[part], revision)]


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
