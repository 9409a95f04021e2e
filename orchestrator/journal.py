"""The one writer of a run's parts: it collects outcomes and writes them when 512 jobs or 5 seconds have passed.

What is buffered is lost when the driver is killed, and its jobs run again; so a job that took over a minute is written
at once. `merge` makes one part of all of a run's parts at its end.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from orchestrator.experiment import Job, TableSpec
from orchestrator.parts import JOBS, JOBS_SCHEMA, JOBS_SPEC, BadPart, TableRows, decode, encode, with_parameters
from orchestrator.storage import Storage
from orchestrator.worker import Outcome

FLUSH_JOBS = 512
FLUSH_SECONDS = 5.0
LONG_JOB_SECONDS = 60.0


def logs_of(run: str) -> str:
    """The folder of a run's job logs, relative to the store's directory."""
    return f"_runs/{run}/logs"


@dataclass
class Journal:
    """Buffered rows of one run. `flush` either writes all of them or leaves all of them in the buffer."""

    storage: Storage
    """The store's directory (`<out>/<experiment>`)."""
    run: str
    specs: Mapping[str, TableSpec]
    _jobs: list[dict[str, Any]] = field(default_factory=list)
    _rows: dict[str, list[TableRows]] = field(default_factory=dict)
    _sequence: int = 0
    _oldest: float = 0.0
    _urgent: bool = False
    _stems: list[str] = field(default_factory=list)

    def add(self, job: Job, outcome: Outcome, attempt: int) -> None:
        """Take one attempt's outcome; rows of attempts that are not done are dropped."""
        if not self._jobs:
            self._oldest = time.monotonic()
        self._jobs.append(
            {
                "job_id": job.id,
                "stage": job.stage.name,
                "params": job.params_json,
                "data": job.data,
                "status": outcome.status,
                "error": outcome.error,
                "message": outcome.message,
                "traceback": outcome.traceback,
                "attempt": attempt,
                "started_at": outcome.started_at,
                "seconds": outcome.seconds,
                "host": outcome.host,
                "device": outcome.device,
                "peak_rss_mb": outcome.peak_rss_mb,
                "peak_gpu_mb": outcome.peak_gpu_mb,
                "passes": job.passes,
                "code": outcome.code,
                "versions": outcome.versions,
                "run": self.run,
                "log": outcome.log and f"{logs_of(self.run)}/{outcome.log}",
            }
        )
        if outcome.status == "done":
            for name, rows in outcome.tables.items():
                self._rows.setdefault(name, []).append(TableRows(job, rows))
        self._urgent |= outcome.seconds >= LONG_JOB_SECONDS

    @property
    def buffered(self) -> int:
        """Attempts that are not written yet."""
        return len(self._jobs)

    @property
    def due(self) -> bool:
        """Whether a flush is due now."""
        late = bool(self._jobs) and time.monotonic() - self._oldest >= FLUSH_SECONDS
        return late or self._urgent or len(self._jobs) >= FLUSH_JOBS

    def flush(self) -> int:
        """Write what is buffered; returns the number of attempts written.

        Raises:
            OSError: when the disk is full or the object store does not answer; everything stays buffered.
        """
        if not self._jobs:
            return 0
        stem = f"{self.run}-{self._sequence:06d}"
        counts = {}
        for name, written in self._rows.items():
            table = with_parameters(self.specs[name], written)
            self.storage.write(f"_parts/{name}/{stem}.parquet", encode(table, self.specs[name].version))
            counts[name] = table.num_rows
        jobs = pa.Table.from_pylist(self._jobs, schema=JOBS_SCHEMA)
        self.storage.write(f"_parts/{JOBS}/{stem}.parquet", encode(jobs, JOBS_SPEC.version, counts))
        written_jobs = len(self._jobs)
        self._stems.append(stem)
        self._sequence += 1
        self._jobs, self._rows, self._urgent = [], {}, False
        return written_jobs

    def merge(self) -> None:
        """Make one part of this run's parts. Killed in between, both forms stand and readers count each job once."""
        self.flush()
        if len(self._stems) < 2:
            return
        stem = f"{self.run}-{self._sequence:06d}"
        counts = {}
        for name, spec in [*self.specs.items(), (JOBS, JOBS_SPEC)]:
            present = [s for s in self._stems if self.storage.exists(f"_parts/{name}/{s}.parquet")]
            if not present:
                continue
            try:
                tables = [decode(self.storage, f"_parts/{name}/{s}.parquet", spec) for s in present]
            except BadPart:
                return  # the parts stay as they are; the next reader names the damaged one and sets it aside
            merged = pa.concat_tables([t.replace_schema_metadata(None) for t in tables], promote_options="default")
            counts[name] = merged.num_rows
            rows = {n: c for n, c in counts.items() if n != JOBS} if name == JOBS else None
            self.storage.write(f"_parts/{name}/{stem}.parquet", encode(merged, spec.version, rows))
        for old in self._stems:
            for name in (JOBS, *self.specs):  # jobs first: without it the others of that stem do not count
                self.storage.delete(f"_parts/{name}/{old}.parquet")
        self._stems = [stem]
        self._sequence += 1
