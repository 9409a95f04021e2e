"""Whether this machine sees the results directory that the driver sees.

The driver leaves a mark there (the record of the run, its first file) and says its name with every call. A worker that
does not find it would read and write artifacts in a directory of its own, which nobody else ever looks into.
"""

import socket
import time

from orchestrator.storage import Storage

Mark = tuple[str, str]
"""The address of a storage, and the name of a file that the driver has written there."""

LOOKS = 3
LOOK_SECONDS = 1.0  # between looks: network file systems show new files a little later elsewhere

_SEEN: set[Mark] = set()  # by this process


class NotShared(OSError):
    """The results directory is not the driver's on this machine, or cannot be written from it."""


def check_mark(mark: Mark) -> None:
    """Look for the mark, once a process.

    Raises:
        NotShared: when it is not there; with this machine's name and what to do.
    """
    if mark in _SEEN:
        return
    storage, name = Storage.at(mark[0]), mark[1]
    for look in range(LOOKS):
        if look:
            time.sleep(LOOK_SECONDS)
        try:
            if storage.exists(name):
                _SEEN.add(mark)
                return
            problem = f"{storage.root}/{name}, which the driver has written, is not there"
        except OSError as error:  # no such bucket, no credentials, no permission
            problem = f"{storage.root} cannot be read: {error}"
    raise NotShared(f"{socket.gethostname()} does not share the results: {problem}. {REMEDY}")


def check_writable(address: str, name: str) -> None:
    """Write a file into the storage and delete it again.

    Raises:
        NotShared: when that is impossible.
    """
    storage = Storage.at(address)
    try:
        storage.write(name, b"")
        storage.delete(name)
    except OSError as error:
        raise NotShared(f"{socket.gethostname()} cannot write to {storage.root}: {error}. {REMEDY}") from error


REMEDY = (
    "Give --out (or SWEEP_OUT) a directory that all machines share and may write, under the same path, or an s3:// or "
    "gs:// address with credentials on all of them"
)
