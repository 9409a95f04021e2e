"""The runner: takes planned jobs, runs what the store does not have yet, writes what comes back.

A bounded window of calls is in flight, of jobs whose needs are done (see `ready`). Exceptions are retried within
`attempts`, dead workers and lost nodes within `max_worker_failures`: a preempted machine never uses up the patience
for a bug.
"""

import logging
import pickle
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from orchestrator.backend import Backend
from orchestrator.call import Call, Outcome, log_name
from orchestrator.checkpoints import Checkpoints
from orchestrator.experiment import Job
from orchestrator.failures import signature
from orchestrator.heartbeat import Heartbeat
from orchestrator.joblog import JobLog
from orchestrator.journal import logs_of
from orchestrator.plan import Plan
from orchestrator.progress import Progress
from orchestrator.ready import Ready
from orchestrator.runs import RunOptions, RunReport
from orchestrator.store import Store
from orchestrator.watcher import Watcher

log = logging.getLogger(__name__)

ALIKE = 20  # a stage whose first 20 outcomes all fail alike is stopped: the 10,000 others would fail too
PUBLISH_SECONDS = 60.0
PUBLISH_PAUSE = 20.0  # times as long as the last publication took: a large store takes 5 % of the driver's time
STALL_SECONDS = 120.0
RETRY_SECONDS = 5.0  # between attempts to write where the disk is full
LAST_TRIES = 6


class Runner:
    """One run of the jobs `left` of a plan. `run()` returns when nothing more can be done.

    `interrupted` is asked between events: after the first Ctrl-C it returns True, no job starts any more and those that
    run are finished.
    """

    def __init__(
        self,
        plan: Plan,
        left: Collection[str],
        store: Store,
        backend: Backend,
        progress: Progress,
        run: str,
        options: RunOptions,
        interrupted: Callable[[], bool] = lambda: False,
        watchers: Sequence[Watcher] = (),
    ):
        self.plan, self.store, self.backend, self.progress, self.options = plan, store, backend, progress, options
        self.journal = store.journal(run)
        self._interrupted, self._watchers = interrupted, watchers
        self._heartbeat = Heartbeat(store.storage, run, backend.where)
        self._slots = backend.slots
        self._logs = store.storage.below(logs_of(run))
        self._left = set(left)
        self._ready = Ready(plan, left)
        self.report = RunReport(blocked=self._ready.blocked)
        self._in_flight: dict[str, str] = {}
        self._by_stage: Counter[str] = Counter()
        self._withdrawn = False
        self._attempts: Counter[str] = Counter()
        self._raised: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._first: dict[str, Counter[tuple[str, ...]]] = {}
        self._outcomes: Counter[str] = Counter()
        self._stopped: set[str] = set()
        self._pickled: dict[int, bytes] = {}
        self._published = self._last_event = time.monotonic()
        self._publishing_took = 0.0
        self._cannot_write = 0.0
        self._done_with: list[Checkpoints] = []

    def run(self) -> RunReport:
        """Run until everything is done, failed or blocked; or, interrupted, until what runs has ended."""
        self.progress.start(self.plan, self._left)
        log.info("%d jobs to run, %d already there", len(self._left), len(self.plan.jobs) - len(self._left))
        try:
            while self._in_flight or (self._ready and not self._interrupted()):
                if not self._interrupted():
                    self._fill()
                elif not self._withdrawn:
                    self._withdrawn = True
                    self.backend.withdraw()
                events = self.backend.wait(0.5)
                for key, outcome in events:
                    self._take(key, outcome)
                self._housekeeping(bool(events))
        finally:
            self._write_the_rest()
            self.progress.stop()
            report = self.report
            report.left = len(self._left) - sum(map(len, (report.failed, report.blocked, report.stopped))) - report.done
            self._beat("interrupted" if report.left else "done" if report.good else "failed")
        return self.report

    def _fill(self) -> None:
        room = self.backend.window - len(self._in_flight)
        while self._ready and room > 0:
            job_id = self._ready.pop()
            job = self.plan.jobs[job_id]
            if job.stage.name in self._stopped:
                self._give_up(job_id)
                continue
            self._attempts[job_id] += 1
            call = self._call(job)
            key = f"{job_id}-{self._attempts[job_id]}"
            self._in_flight[key] = job_id
            self._by_stage[job.stage.name] += 1
            self.backend.submit(key, call, job.wants, job.warm_key if job.stage.warm else None)
            room -= 1

    def _call(self, job: Job) -> Call:
        stage = job.stage
        if id(stage) not in self._pickled:
            self._pickled[id(stage)] = pickle.dumps(stage)
        return Call(
            job_id=job.id,
            stage=self._pickled[id(stage)],
            params=job.params,
            needs={name: (need.stage.name, need.id) for name, need in job.needs.items() if need.stage.artifact},
            attempt=self._attempts[job.id],
            logs=self._logs.address if self.backend.own_processes else None,
            paths=job.paths,
            artifacts=self.store.artifacts.storage.address,
            checkpoints=self.store.checkpoints.address if stage.checkpoints else None,
            workers=job.wants.workers,
            gpus=self.backend.gpus(job.wants),
            threads=job.wants.threads,
            memory_bytes=None if job.wants.memory_mb is None else job.wants.memory_mb * 2**20,
            code=self.options.code,
            mark=self.options.mark,
        )

    def _take(self, key: str, outcome: Outcome) -> None:
        job_id = self._in_flight.pop(key)
        job = self.plan.jobs[job_id]
        stage = job.stage.name
        self._by_stage[stage] -= 1
        if outcome.status == "withdrawn":
            return
        unfinished = outcome.log is None or job.wants.workers > 1
        if unfinished and outcome.status != "done" and self.backend.own_processes:
            outcome = self._with_log(key, job.wants.workers, outcome)
        self.journal.add(job, outcome, self._attempts[job_id])
        for watcher in self._watchers:
            watcher.ended(job, outcome, self._attempts[job_id])
        self._outcomes[stage] += 1
        if outcome.status == "done":
            self.report.done += 1
            if job.stage.checkpoints:
                self._done_with.append(self.store.checkpoints_of(job))
            del self._attempts[job_id]  # what is done takes no memory
            self.progress.done(stage, outcome.seconds)
            log.info("job %s of %s done in %.1f s on %s", job_id, stage, outcome.seconds, outcome.host)
            self._ready.done(job_id)
            return
        self._last[job_id] = outcome.status
        first_line = next(iter((outcome.message or "").splitlines()), "")
        log.warning(
            "job %s of %s, attempt %d: %s: %s", job_id, stage, self._attempts[job_id], outcome.error, first_line
        )
        self._stop_if_all_alike(stage, outcome)
        if outcome.status == "lost":
            self._lost[job_id] += 1
            again = self._lost[job_id] <= self.options.max_worker_failures
        else:
            self._raised[job_id] += 1
            again = self._raised[job_id] < self.options.attempts and outcome.status != "timeout"
        if again and stage not in self._stopped:
            self._ready.push(job_id)
        else:
            self._give_up(job_id)

    def _with_log(self, key: str, workers: int, outcome: Outcome) -> Outcome:
        """The outcome of an attempt whose processes were killed, with the log that they have left behind."""
        for rank in range(1, workers):
            JobLog(self._logs, log_name(key, rank)).finish()
        log = JobLog(self._logs, key)
        log.finish()
        if outcome.log is not None:  # that of the member which has failed
            return outcome
        return replace(outcome, log=f"{key}.log") if log.kept else outcome

    def _stop_if_all_alike(self, stage: str, outcome: Outcome) -> None:
        if outcome.status == "lost":
            return
        first = self._first.setdefault(stage, Counter())
        first[signature(outcome.status, outcome.error, outcome.message)] += 1
        if self._outcomes[stage] == ALIKE and len(first) == 1 and first.total() == ALIKE:
            self._stopped.add(stage)
            self.progress.note(f"{stage}: its first {ALIKE} outcomes all failed alike ({outcome.error}): it is stopped")

    def _give_up(self, job_id: str) -> None:
        if job_id in self._last:
            self.report.failed[job_id] = self._last[job_id]
        else:
            self.report.stopped.append(job_id)
        for lost in (job_id, *self._ready.block(job_id)):
            self.progress.failed(self.plan.jobs[lost].stage.name)

    def _housekeeping(self, something_came: bool) -> None:
        now = time.monotonic()
        self.progress.running(self._by_stage, self.backend.waiting())
        if self._heartbeat.due:
            self._beat()
        if something_came:
            self._last_event = now
        elif now - self._last_event > STALL_SECONDS:
            self._last_event = now
            if (reason := self.backend.stalled()) is not None:
                self.progress.note(reason)
        if self._cannot_write and now - self._cannot_write < RETRY_SECONDS:
            return
        if self.journal.due:
            self._write(self._flush)
        if now - self._published > max(PUBLISH_SECONDS, PUBLISH_PAUSE * self._publishing_took):
            self._write(self._flush)
            self._write(self.store.publish)
            self._published = time.monotonic()
            self._publishing_took = self._published - now

    def _beat(self, ended: str | None = None) -> None:
        """Say in the store how the run stands."""
        done, failed = self.report.done, len(self.report.failed)
        if ended is None:  # at the end the cluster may be gone
            self._slots, waiting = self.backend.slots, self.backend.waiting()
        else:
            waiting = None
        try:
            self._heartbeat.beat(
                slots=self._slots,
                in_flight={stage: count for stage, count in self._by_stage.items() if count},
                done=done,
                failed=failed,
                left=len(self._left) - done - failed - len(self.report.blocked) - len(self.report.stopped),
                waiting=waiting,
                ended=ended,
            )
        except OSError as problem:
            log.info("the state of the run cannot be written: %s", problem)

    def _flush(self) -> None:
        """Write the rows that are due; only now that they are there can the checkpoints of their jobs go."""
        self.journal.flush()
        while self._done_with:
            checkpoints = self._done_with.pop()
            try:
                checkpoints.clear()
            except OSError as problem:  # the next run on this store tries it again
                log.warning("the checkpoints of job %s are not deleted: %s", checkpoints.job_id, problem)

    def _write(self, write: Callable[[], object]) -> bool:
        """Write what is due. A full disk stops no sweep: it is said once, and tried again every few seconds."""
        try:
            write()
        except OSError as problem:
            if not self._cannot_write:
                again = f"they stay in memory and are tried again every {RETRY_SECONDS:g} s"
                self.progress.note(f"rows cannot be written now, {again}: {problem}")
            self._cannot_write = time.monotonic()
            return False
        self._cannot_write = 0.0
        return True

    def _write_the_rest(self) -> None:
        """Write the last rows; with a full disk, try for a while before they are given up."""
        for _ in range(LAST_TRIES):
            if self._write(self._flush):
                return
            time.sleep(RETRY_SECONDS)
        self.report.unwritten = self.journal.buffered
        waited = f"could not be written within {LAST_TRIES * RETRY_SECONDS:g} s of the last job"
        self.progress.note(f"the rows of {self.journal.buffered} attempts {waited}: their jobs run again")
