"""Multi30k from the hub, by commit."""

from collections.abc import Iterator

from tasks.attention.pairs.files import Line
from tasks.data.commits import dataset_commit
from tasks.data.errors import DataError
from tasks.data.hub_split import load_split

REPOS = {"multi30k": "bentrevett/multi30k"}
SIZES = {"multi30k": {"train": 29_000, "val": 1_014}}
PARTS = {"train": "train", "val": "validation"}
ROWS = 1000  # read at once


def resolve_revision(dataset: str, languages: tuple[str, str]) -> str:
    """The commit of a data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither, or the data set is not one of the hub's.
    """
    return dataset_commit(_repo(dataset, languages), _remedy(dataset, languages))


def read(dataset: str, split: str, languages: tuple[str, str], revision: str) -> Iterator[Line]:
    """The pairs of a split at one commit.

    Raises:
        DataError: it cannot be loaded, is cached at another commit, or lacks a language.
    """
    repo, remedy = _repo(dataset, languages), _remedy(dataset, languages)
    where = f"{repo} ({PARTS[split]}, {revision[:12]})"
    data = load_split(repo, None, PARTS[split], revision, where, remedy)
    if missing := [name for name in languages if name not in data.column_names]:
        raise DataError(f"{where}: no column {', '.join(missing)}, found {', '.join(data.column_names)}; {remedy}")
    for start in range(0, len(data), ROWS):
        columns = data[start : start + ROWS]
        for row, (source, target) in enumerate(zip(*(columns[name] for name in languages), strict=True), start=start):
            yield Line(source or "", target or "", f"{where}, row {row}")


def _repo(dataset: str, languages: tuple[str, str]) -> str:
    if dataset not in REPOS:
        raise DataError(f"{dataset} is not on the hub in the published form; {_remedy(dataset, languages)}")
    return REPOS[dataset]


def _remedy(dataset: str, languages: tuple[str, str]) -> str:
    source, target = languages
    return f"give --data-dir DIR with {dataset}/train.{source}, train.{target}, val.{source} and val.{target}"
