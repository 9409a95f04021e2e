"""A plan: the jobs of a sweep with everything they need, each once, and what of them is left to do."""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.artifacts import Artifacts
from orchestrator.experiment import Job
from orchestrator.identity import canonical_json
from orchestrator.snapshot import Snapshot


@dataclass(frozen=True)
class Plan:
    jobs: Mapping[str, Job]
    """By id, in an order in which every job comes after those that it needs."""
    dependents: Mapping[str, Sequence[str]]
    """Job id to the ids of the jobs that need it, for those that any job needs."""

    def table(self) -> pa.Table:
        """One row a job, for `_runs/<run>/plan.parquet`."""
        columns: dict[str, Callable[[Job], object]] = {
            "job_id": lambda job: job.id,
            "stage": lambda job: job.stage.name,
            "params": lambda job: job.params_json,
            "data": lambda job: job.data,
            "needs": lambda job: canonical_json({name: need.id for name, need in job.needs.items()}),
            "passes": lambda job: job.passes,
        }
        schema = pa.schema([(name, pa.float64() if name == "passes" else pa.string()) for name in columns])
        jobs, batches = iter(self.jobs.values()), []
        while some := list(itertools.islice(jobs, 10_000)):  # not the texts of all jobs at once
            values = [pa.array(list(map(get, some)), schema.field(name).type) for name, get in columns.items()]
            batches.append(pa.RecordBatch.from_arrays(values, schema=schema))
        return pa.Table.from_batches(batches, schema=schema)


def make_plan(jobs: Iterable[Job]) -> Plan:
    """Collect the jobs and all that they need; jobs of equal identity are one job."""
    ordered: dict[str, Job] = {}
    dependents: dict[str, list[str]] = {}
    for wanted in jobs:
        stack = [wanted]
        while stack:  # no recursion: a chain of needs may be longer than Python's stack
            job = stack[-1]
            if job.id in ordered:
                stack.pop()
            elif missing := [need for need in job.needs.values() if need.id not in ordered]:
                stack += reversed(missing)
            else:
                ordered[stack.pop().id] = job
                for need_id in {need.id: None for need in job.needs.values()}:
                    dependents.setdefault(need_id, []).append(job.id)
    return Plan(ordered, dependents)


def left_to_do(plan: Plan, snapshot: Snapshot, artifacts: Artifacts, rerun: Collection[str] = ()) -> list[str]:
    """Ids of the jobs that must run, needs first.

    A job whose rows are there is done. A job that only prepares an artifact runs when the artifact is missing and a job
    that is left needs it (or no job ever would): tokenised data of a finished sweep are not remade.

    Args:
        rerun: ids of jobs to run although they are done.
    """
    left: set[str] = set()
    for job in reversed(list(plan.jobs.values())):
        users = plan.dependents.get(job.id, ())
        wanted = not users or any(user in left for user in users)
        rows_missing = job.id not in snapshot.done
        if job.id in rerun:
            runs = True
        elif not job.stage.artifact:
            runs = rows_missing
        else:
            has_rows = bool(job.stage.tables)
            runs = (has_rows and rows_missing) or (wanted and not artifacts.is_done(job.stage.name, job.id))
        if runs:
            left.add(job.id)
    return [job_id for job_id in plan.jobs if job_id in left]


def drifted(plan: Plan, snapshot: Snapshot, code: str) -> set[str]:
    """Ids of done jobs whose rows other code has written."""
    return {
        i for i, wrote in snapshot.values("code").items() if i in plan.jobs and i in snapshot.done and wrote != code
    }


@dataclass(frozen=True, kw_only=True)
class StageCount:
    """Where the jobs of one stage stand, and what those that are left cost."""

    stage: str
    new: int
    done: int
    failed: int
    blocked: int
    passes: float
    """Layer applications to one sequence, of the jobs that are left."""
    hours: float | None
    """Hours on one slot, from past jobs of the stage; None where there are none."""


def count_stages(plan: Plan, snapshot: Snapshot, left: Collection[str]) -> list[StageCount]:
    """Count the plan's jobs by stage: done, new, failed at the last try, blocked by a need that failed."""
    status: dict[str, str] = {}
    left = set(left)
    last = snapshot.values("status")
    for job_id, job in plan.jobs.items():
        if job_id not in left:
            status[job_id] = "done"
        elif any(status[need.id] in ("failed", "blocked") for need in job.needs.values()):
            status[job_id] = "blocked"
        else:
            status[job_id] = "new" if last.get(job_id, "done") == "done" else "failed"
    past = _seconds_per_pass(snapshot)
    counts = []
    stages: dict[str, list[Job]] = {}
    for job in plan.jobs.values():
        stages.setdefault(job.stage.name, []).append(job)
    for stage, jobs in stages.items():
        by = Counter(status[job.id] for job in jobs)
        todo = [job for job in jobs if status[job.id] != "done"]
        rate = past.get(stage)
        hours = None
        if rate is not None:
            per_job, per_pass = rate
            hours = sum(per_pass * j.passes if per_pass and j.passes else per_job for j in todo) / 3600
        counts.append(
            StageCount(
                stage=stage,
                new=by["new"],
                done=by["done"],
                failed=by["failed"],
                blocked=by["blocked"],
                passes=sum(job.passes for job in todo),
                hours=hours,
            )
        )
    return counts


def _seconds_per_pass(snapshot: Snapshot) -> dict[str, tuple[float, float | None]]:
    """Stage name to (mean seconds a job, seconds a layer pass or None) of all good attempts."""
    seconds: Counter[str] = Counter()
    passes: Counter[str] = Counter()
    jobs: Counter[str] = Counter()
    columns = (snapshot.attempts[c].to_pylist() for c in ("stage", "status", "seconds", "passes"))
    for stage, status, took, cost in zip(*columns, strict=True):
        if status == "done":
            seconds[stage] += took
            passes[stage] += cost or 0
            jobs[stage] += 1
    return {s: (seconds[s] / n, seconds[s] / passes[s] if passes[s] else None) for s, n in jobs.items()}
