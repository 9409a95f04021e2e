"""`_runs/<run>/state.json`: what a run's driver says of itself every few seconds, for `--status` from elsewhere.

A driver that was killed leaves its last word, whose age tells.
"""

import datetime
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from orchestrator.storage import Storage

BEAT_SECONDS, REMOTE_BEAT_SECONDS = 10.0, 30.0
SILENT_SECONDS = 120.0  # a driver that says nothing for so long is gone (or cut off from the store)


@dataclass(frozen=True, kw_only=True)
class RunState:
    """What a driver says of its run."""

    updated_at: str
    """ISO time by the driver's clock, UTC."""
    host: str
    pid: int
    backend: str
    """What it runs on, in words."""
    slots: int
    """How many jobs can run at once."""
    in_flight: Mapping[str, int]
    """Jobs that run or are queued at the backend, by stage."""
    done: int
    failed: int
    left: int
    """Jobs that have not ended."""
    waiting: str | None = None
    """What the jobs in flight wait for, if it is more than a free slot."""
    ended: str | None = None
    """`done`, `failed` or `interrupted`; None while it runs."""

    @property
    def age(self) -> float:
        """Seconds since it was written, by this machine's clock."""
        written = datetime.datetime.fromisoformat(self.updated_at)
        return (datetime.datetime.now(datetime.UTC) - written).total_seconds()


@dataclass
class Heartbeat:
    """Writes the state of one run when it is due."""

    storage: Storage
    run: str
    backend: str
    _written: float = float("-inf")

    @property
    def due(self) -> bool:
        pause = BEAT_SECONDS if self.storage.is_local else REMOTE_BEAT_SECONDS
        return time.monotonic() - self._written >= pause

    def beat(self, **facts: object) -> None:
        """Write the state now.

        Raises:
            OSError: when it cannot be written.
        """
        self._written = time.monotonic()
        state = RunState(
            updated_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            host=socket.gethostname(),
            pid=os.getpid(),
            backend=self.backend,
            **facts,  # pyright: ignore[reportArgumentType]
        )
        self.storage.write(f"_runs/{self.run}/state.json", json.dumps(asdict(state), indent=1).encode())


def read_state(storage: Storage, run: str) -> RunState | None:
    """The last word of a run's driver; None where there is none that can be read."""
    try:
        facts = json.loads(storage.read(f"_runs/{run}/state.json"))
        return RunState(**{f.name: facts[f.name] for f in fields(RunState)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
