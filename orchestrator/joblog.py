"""Each job's own log: what the job and the libraries below it print, by file descriptor, so that C code is in it too.

While a job runs its output goes to `_runs/<run>/logs/_<job>-<attempt>.log`; when it has ended, what was printed
becomes `<job>-<attempt>.log`, cut to a readable size and without secrets, and a job that printed nothing leaves no
file. A process that is killed leaves the first file, which the driver finishes. On an object store the first file is
on the worker's own disk, so the log of a killed process stays there.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.names import private_folder
from orchestrator.printable import printable
from orchestrator.secrets import redact
from orchestrator.storage import Storage

MARGIN = 8 << 10  # characters at a cut that are left out, for the part of a secret that may be there
HEAD_BYTES, TAIL_BYTES = 256 << 10, 768 << 10  # kept of a log that is longer than both together


@dataclass
class JobLog:
    """The log of one attempt: a file under `folder`, which is the run's `_runs/<run>/logs`."""

    folder: Storage
    name: str
    """`<job id>-<attempt>`."""
    kept: bool = field(default=False, init=False)
    """Whether there is a log; known when the job has ended."""

    @property
    def _open_file(self) -> Path:
        """Where output goes while the job runs."""
        if self.folder.is_local:
            return Path(self.folder.root, f"_{self.name}.log")
        return private_folder("sweep-logs") / f"_{self.name}.log"

    @contextlib.contextmanager
    def captured(self) -> Iterator[None]:
        """Send this process's standard output and error to the log. Where it cannot be written, all stays as it is."""
        try:
            self._open_file.parent.mkdir(parents=True, exist_ok=True)
            how = os.O_CREAT | os.O_RDWR | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW  # a link would be somebody's trap
            file = os.open(self._open_file, how, 0o600)
        except OSError:  # a log is no reason for a job to fail
            yield
            return
        _flush()
        before = os.dup(1), os.dup(2)
        os.dup2(file, 1)
        os.dup2(file, 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(before[0], 1)
            os.dup2(before[1], 2)
            for number in (*before, file):
                os.close(number)
            self.finish()

    def finish(self) -> None:
        """Make the log of what was printed; for a job whose process was killed, the driver does it."""
        with contextlib.suppress(OSError):
            if (size := self._open_file.stat().st_size) > 0:
                self.folder.write(f"{self.name}.log", _readable(self._open_file, size))
                self.kept = True
            self._open_file.unlink()


def _readable(path: Path, size: int) -> bytes:
    """The text of a log: its beginning and its end, where it is long."""
    with path.open("rb") as file:
        if size <= HEAD_BYTES + TAIL_BYTES:
            return _clean(file.read()).encode()
        # Redacted, then cut by a margin: half of a secret is none that `redact` knows, and would stay.
        head = _clean(file.read(HEAD_BYTES))[:-MARGIN]
        file.seek(size - TAIL_BYTES)
        tail = _clean(file.read())[MARGIN:]
    return f"{head}\n[{size - HEAD_BYTES - TAIL_BYTES + 2 * MARGIN} bytes left out]\n{tail}".encode()


def _clean(data: bytes) -> str:
    # A progress bar that was drawn over itself becomes lines of its own.
    text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")
    return printable(redact(text))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a stage may have closed or replaced them
            stream.flush()
