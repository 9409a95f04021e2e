"""A run's log: what the orchestrator did, in the store beside the run's record."""

import contextlib
import io
import logging
from collections.abc import Iterator
from pathlib import Path

from orchestrator.printable import SafeFormatter
from orchestrator.storage import Storage

log = logging.getLogger(__name__)


class _LogFile(logging.FileHandler):
    """A log that on a full disk lacks messages, and does not print a traceback for each of them instead."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextlib.contextmanager
def log_file(storage: Storage, run: str) -> Iterator[None]:
    """Everything from level info on, into `_runs/<run>/log` (on object stores it is written at the end)."""
    name = f"_runs/{run}/log"
    memory = io.StringIO()
    handler: logging.Handler
    if storage.is_local:
        handler = _LogFile(Path(storage.root, name), encoding="utf-8")
    else:
        handler = logging.StreamHandler(memory)
    handler.setFormatter(SafeFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.setLevel(logging.INFO)
    root = logging.getLogger()
    root.addHandler(handler)
    ours = logging.getLogger("orchestrator")
    before = {ours: ours.level} | {other: other.level for other in root.handlers if other is not handler}
    for other in before:
        other.setLevel(max(root.level, other.level))  # the terminal shows no more than it did
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        for other, level in before.items():
            other.setLevel(level)
        root.removeHandler(handler)
        try:
            handler.close()
            if not storage.is_local:
                storage.write(name, memory.getvalue().encode())
        except OSError as problem:  # a log that cannot be written is no reason to lose the rest
            log.warning("the log of run %s is not whole: %s", run, problem)
