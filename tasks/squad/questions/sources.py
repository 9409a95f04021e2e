"""Where the questions come from, and what they are: builtin ones, JSON files, or the hub. Imports no torch.

`builtin` needs nothing; `squad_v2` is read from `--data-dir` where one is given, else from the hub; nothing is
substituted for what is missing.
"""

import functools
from pathlib import Path

from tasks.data.errors import DataError
from tasks.data.places import Place, Source, State, file_states
from tasks.squad.questions import builtin, files, hub
from tasks.squad.questions.examples import SquadSplit


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
        return Source(task=dataset, kind="hub", fingerprint=hub.resolve_revision(), sizes=hub.SIZES)
    root = Path(data_dir).expanduser().absolute()
    if not root.is_dir():
        raise DataError(f"{root}: no such directory; {hub.REMEDY}")
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
        lambda commit: hub.read_split(split, commit),
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
