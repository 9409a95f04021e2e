"""Data sets of the Hugging Face hub: the commit at which one is read, decided once while planning, and its splits."""

from typing import Any

from models import hub
from tasks.data.errors import DataError


def load_split(repo: str, config: str | None, split: str, revision: str, where: str, remedy: str) -> Any:
    """The split as a `datasets.Dataset`.

    Args:
        repo: the data set's name on the hub.
        config: its configuration; None where it has one alone.
        split: as the hub names it.
        revision: the commit.
        where: what is loaded, for messages.
        remedy: what to do without it.

    Raises:
        DataError: it cannot be loaded, or the local copy is of another commit.
    """
    import datasets

    try:
        data = datasets.load_dataset(repo, config, split=split, revision=revision)
    except Exception as problem:  # of the hub, the network, the disk or the data: the remedy is one
        reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        raise DataError(f"{where} cannot be loaded ({reason}); {remedy}") from problem
    for file in data.cache_files:  # without network `datasets` takes its latest local copy, whatever was asked for
        if revision not in file["filename"]:
            raise DataError(f"{where}: the local copy {file['filename']} is of another commit; {remedy}")
    return data


def dataset_commit(repo: str, remedy: str) -> str:
    """The commit of a hub data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither.
    """
    try:
        return hub.commit(repo, "dataset")
    except hub.HubUnavailable as problem:
        raise DataError(f"the hub data set {repo} is missing ({problem}); {remedy}") from problem
