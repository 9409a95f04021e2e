"""English Wikipedia from the hub data set `wikimedia/wikipedia`, by commit, read piece by piece: a sample costs little.

The data set is 41 Parquet files in the order of the dump, each of many row groups. A batch is one row group of each of
eight files, shuffled, and the next batch goes on with other files: so the first thousand articles are from all over the
encyclopedia already, which those of a file in its own order are not. The order depends on the seed alone, not on the
version of a library.

Where the local hub cache has all files of the commit they are read instead, so that machines without network can.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from models import hub
from tasks.data.errors import DataError
from tasks.data.hub_data import dataset_commit
from tasks.training.seeds import permutation

REPO = "wikimedia/wikipedia"
CONFIG = "20231101.en"  # the newest English dump that this data set is known to have
SPREAD = 8  # row groups in memory at once: of 1,000 articles each, together some 30 MB

REMEDY = "give a directory of text files instead (for example what wikiextractor makes of a dump), or builtin"


def resolve_revision() -> str:
    """The commit of the hub data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither.
    """
    return dataset_commit(REPO, REMEDY)


def articles(revision: str, seed: int) -> Iterator[str]:
    """The texts of all articles at one commit, each once, in a random order that `seed` fixes.

    Raises:
        DataError: when they cannot be read, or have no column `text`.
    """
    try:
        files, open_file = data_files(revision)
        groups = _in_turn([_row_groups(files[i], i, open_file, seed) for i in _order(len(files), seed, "files")])
        for number in itertools.count():
            batch = [text for group in itertools.islice(groups, SPREAD) for text in group]
            if not batch:
                return
            yield from (batch[i] for i in _order(len(batch), seed, "batch", number))
    except Exception as problem:  # of the hub, the network or the data: the remedy is one
        reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        raise DataError(f"{REPO} ({CONFIG}, {revision[:12]}) cannot be read ({reason}); {REMEDY}") from problem


def data_files(revision: str) -> tuple[list[str], Callable[[str], IO[bytes]]]:
    """The Parquet files of one commit in the order of their numbers, and what opens them.

    Raises:
        FileNotFoundError: when some are missing on the hub, too.
    """
    folder = hub.cached_snapshot(REPO, "dataset", revision)
    cached = sorted(map(str, (folder / CONFIG).glob("train-*.parquet"))) if folder else []
    if _complete(cached):
        return cached, lambda path: open(path, "rb")
    from huggingface_hub import HfFileSystem

    system: Any = HfFileSystem()
    address = f"datasets/{REPO}@{revision}/{CONFIG}"
    names = sorted(path.rpartition("/")[2] for path in system.glob(f"{address}/train-*.parquet"))
    if not _complete(names):
        raise FileNotFoundError(f"{len(names)} files train-*.parquet, and not all that their names tell of")
    return [f"{address}/{name}" for name in names], lambda path: system.open(path, "rb")


def _complete(paths: list[str]) -> bool:
    """Whether these are train-00000-of-00041.parquet to train-00040-of-00041.parquet, or as many as they say."""
    found = [re.search(r"train-(\d+)-of-(\d+)\.parquet$", path) for path in paths]
    return bool(paths) and [(int(m[1]), int(m[2])) for m in found if m] == [(i, len(paths)) for i in range(len(paths))]


def _row_groups(path: str, number: int, open_file: Callable[[str], IO[bytes]], seed: int) -> Iterator[list[str]]:
    """The texts of each row group of a file, in a random order of the groups. Nothing stays open between two."""
    import pyarrow.parquet as pq

    with open_file(path) as file:
        metadata = pq.read_metadata(file)
    for group in _order(metadata.num_row_groups, seed, "groups", number):
        with open_file(path) as file:
            yield pq.ParquetFile(file, metadata=metadata).read_row_group(group, columns=["text"])["text"].to_pylist()


def _in_turn(sources: list[Iterator[list[str]]]) -> Iterator[list[str]]:
    """One of each source, again and again, until all are at their end."""
    while sources:
        for source in tuple(sources):
            item = next(source, None)
            if item is None:
                sources.remove(source)
            else:
                yield item


def _order(n: int, seed: int, *names: str | int) -> list[int]:
    """A permutation of 0..n-1, from the raw 64-bit stream, which NumPy promises to keep."""
    return permutation(n, seed, "wikipedia", *names).tolist()
