"""Where a task's data come from, and what they are: builtin sentences, TSV files, or the hub.

Used while planning, so this module imports neither torch nor transformers nor datasets. A builtin task needs nothing; a
GLUE task is read from `--data-dir` where one is given, else from the hub; nothing is substituted for what is missing.
"""

import functools
from pathlib import Path

from tasks.data import builtin, glue_files, glue_hub
from tasks.data.errors import DataError
from tasks.data.examples import BUILTIN_TASKS, Examples, task_info
from tasks.data.places import Place, Source, State, file_states


def locate(task: str, data_dir: str | None) -> Source:
    """Find a task's data and take their fingerprint.

    Files are read once (a second for MNLI) and again only when one has changed.

    Raises:
        ValueError: for an unknown task.
        DataError: when the data directory or the task's folder in it is missing, when files are bad, or when the hub
            can be reached neither over the network nor in its cache.
    """
    task_info(task)
    if task in BUILTIN_TASKS:
        return Source(task=task, kind="builtin", fingerprint=builtin.fingerprint(task), sizes=builtin.sizes(task))
    if data_dir is None:
        return Source(task=task, kind="hub", fingerprint=glue_hub.resolve_revision(task), sizes=glue_hub.SIZES[task])
    root = Path(data_dir).expanduser().absolute()
    _check_folder(task, root)
    return _files_source(task, root, _state(task, root))


def fingerprint(task: str, place: Place) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        DataError: when files are missing.
    """

    def of_files(root: Path) -> str:
        _check_folder(task, root)
        return glue_files.fingerprint(task, root)

    return place.pick(lambda: builtin.fingerprint(task), of_files, str)


def read(task: str, split: str, place: Place) -> Examples:
    """One split from the place that `locate` found.

    Raises:
        ValueError: for an unknown task or split.
        DataError: for bad or missing data.
    """
    return place.pick(
        lambda: builtin.examples(task, split),
        lambda root: glue_files.read_split(task, split, root),
        lambda commit: glue_hub.read_split(task, split, commit),
    )


def _check_folder(task: str, root: Path) -> None:
    if not root.is_dir():
        raise DataError(f"{root}: no such directory; give --data-dir a directory with the folder {task} in it")
    if not (root / task).is_dir():
        there = [name for name in glue_files.LAYOUTS if (root / name).is_dir()]
        found = ", ".join(there) or "none of the nine"
        raise DataError(
            f"{root / task}: no such folder; task folders that are there: {found}; "
            f"give --data-dir a directory with {task} in it"
        )


def _state(task: str, root: Path) -> State:
    return file_states(glue_files.split_file(task, split, root) for split in task_info(task).splits)


@functools.cache
def _files_source(task: str, root: Path, state: State) -> Source:
    return Source(
        task=task,
        kind="files",
        fingerprint=glue_files.fingerprint(task, root),
        sizes=glue_files.count(task, root),
        path=str(root),
    )
