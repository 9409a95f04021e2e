"""The one writer of a run's parts: it collects outcomes and writes them when 512 jobs or 5 seconds have passed.

What is buffered is lost when the driver is killed, and its jobs run again; so a job that took over a minute is written
at once. Parts are merged as they become many (see `merging`), and at the end `merge` makes one part of all of a run's
parts.
"""

import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from orchestrator.call import Outcome
from orchestrator.experiment import Job, TableSpec
from orchestrator.merging import MERGE_BYTES, SETTLED, Written, due, merge, packed
from orchestrator.parts import JOBS, JOBS_SCHEMA, JOBS_SPEC, TableRows, encode, part_path, with_parameters
from orchestrator.storage import Storage

log = logging.getLogger(__name__)

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
    _stems: list[Written] = field(default_factory=list)
    """What this run has written and what stands, oldest first."""

    def add(self, job: Job, outcome: Outcome, attempt: int) -> None:
        """Take one attempt's outcome; rows of attempts that are not done are dropped."""
        if outcome.status != "done":
            outcome = replace(outcome)  # which redacts it again: a worker may lack secrets that the driver has
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
        counts, size = {}, 0
        for name, written in self._rows.items():
            table = with_parameters(self.specs[name], written)
            self.storage.write(part_path(name, stem), encode(table, self.specs[name].version))
            counts[name] = table.num_rows
            size += table.nbytes
        jobs = pa.Table.from_pylist(self._jobs, schema=JOBS_SCHEMA)
        self.storage.write(part_path(JOBS, stem), encode(jobs, JOBS_SPEC.version, counts))
        written_jobs = len(self._jobs)
        self._stems.append(Written(stem, 0, size + jobs.nbytes))
        self._sequence += 1
        self._jobs, self._rows, self._urgent = [], {}, False
        self._merge_what_is_due()
        return written_jobs

    def merge(self) -> None:
        """Make one part of this run's parts (several, where one would be too large to handle).

        Raises:
            OSError: when the storage does not answer; the parts stand, only more of them.
        """
        self.flush()
        self._stems = [stem for group in packed(self._stems) for stem in self._merged(group)]

    def _merge_what_is_due(self) -> None:
        try:
            while group := due(self._stems):
                large = sum(each.size for each in group) > MERGE_BYTES
                now = [each for some in packed(group) for each in self._merged(some)]
                if large:
                    now = [dataclasses.replace(each, level=SETTLED) for each in now]
                self._stems[-len(group) :] = now
        except OSError as problem:  # what stands is whole; the next flush tries it again
            log.warning("the parts of run %s are not merged now: %s", self.run, problem)

    def _merged(self, group: Sequence[Written]) -> Sequence[Written]:
        if len(group) < 2:
            return group
        target = f"{self.run}-{self._sequence:06d}"
        self._sequence += 1  # also when it fails: what it has written by then must not mix with another stem's
        return merge(self.storage, self.specs, group, target)
