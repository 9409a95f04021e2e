"""What travels between driver and worker: one attempt at a job, and what came of it."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from orchestrator.printable import printable
from orchestrator.secrets import redactor
from orchestrator.shared import Mark


@dataclass(frozen=True, kw_only=True)
class Call:
    """One attempt at one job, as it travels to a worker."""

    job_id: str
    stage: bytes
    """The pickled Stage: the same bytes for all its jobs, so that a worker unpacks them once."""
    params: Any
    needs: Mapping[str, tuple[str, str]]
    """Name to (stage name, job id) of the artifacts needed."""
    paths: Mapping[str, str]
    artifacts: str
    """Where artifacts live: a path or an address."""
    gpus: float
    """GPUs, or the fraction of one, that the job has."""
    threads: int
    memory_bytes: int | None
    code: str | None
    """The driver's code digest; the worker refuses to run other code. None: not checked."""
    mark: Mark | None = None
    """What the driver has written into the results; a worker that does not see it refuses. None: not checked."""
    attempt: int = 1
    checkpoints: str | None = None
    """Where checkpoints live: a path or an address. None: the job has none."""
    rank: int = 0
    """Which of the job's processes this one is."""
    workers: int = 1
    device: str | None = None
    """The torch device; None: the first GPU where it has any, else the CPU."""
    logs: str | None = None
    """The folder for the logs of jobs, a path or an address; None: what a job prints is not caught."""

    @property
    def log_name(self) -> str:
        return log_name(f"{self.job_id}-{self.attempt}", self.rank)


def log_name(key: str, rank: int) -> str:
    """The name of an attempt's log: rank 0 writes the job's own."""
    return f"{key}-rank{rank}" if rank else key


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one attempt."""

    status: str
    """`done`, `failed`, `timeout` or `lost` (the process or the node died); `withdrawn`: it never started."""
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    error: str | None = None
    message: str | None = None
    traceback: str | None = None
    started_at: datetime.datetime | None = None
    seconds: float = 0.0
    host: str = ""
    device: str = ""
    peak_rss_mb: float | None = None
    peak_gpu_mb: float | None = None
    code: str | None = None
    versions: str | None = None
    log: str | None = None
    """Name of the job's log in the run's folder of logs; None: it printed nothing, or nothing of it was kept."""

    def __post_init__(self):
        """What an error says goes into tables, logs and pages: secrets and control characters end here."""
        if self.status == "done" or not (self.error or self.message or self.traceback):
            return
        hide = redactor()
        for name in ("error", "message", "traceback"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, printable(hide(text)))
