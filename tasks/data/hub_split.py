"""One split of a data set of the Hugging Face hub, at one commit and no other."""

from typing import Any

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
