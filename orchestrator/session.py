"""One run from the command line: start the backend, run what is left, publish, reduce, say what came out."""

import contextlib
import dataclasses
import errno
import json
import logging
import traceback
from collections import Counter
from collections.abc import Collection, Sequence

from orchestrator.backend import Backend, ClusterLost, InlineBackend
from orchestrator.code import code_digest, last_changed, library_versions
from orchestrator.conclusion import say_results
from orchestrator.experiment import PlanError
from orchestrator.identity import canonical_json
from orchestrator.interrupts import Interrupts
from orchestrator.persistence import StorageError
from orchestrator.plan import count_stages, drifted, left_to_do
from orchestrator.progress import Progress
from orchestrator.reduce import reduce_sweep
from orchestrator.runlog import log_file
from orchestrator.runner import Runner
from orchestrator.runs import RunReport, new_run_id, run_options
from orchestrator.secrets import redactor
from orchestrator.shared import Mark
from orchestrator.snapshot import Snapshot
from orchestrator.sweep import Sweep
from orchestrator.watcher import Watcher

log = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def run(sweep: Sweep) -> int:
    """Run a sweep, or its reduce alone; returns the exit code (0 good, 1 failures, 130 interrupted)."""
    console, store = sweep.console, sweep.store
    console.print(f"code {code_digest()}, last changed here {last_changed():%Y-%m-%d %H:%M:%S} UTC")
    snapshot = store.snapshot()
    run_id = new_run_id(store.runs())
    for problem in snapshot.problems:
        console.print(problem)
    report, interrupts = RunReport(), Interrupts()
    if not sweep.common.reduce_only:
        report = _run_what_is_left(sweep, snapshot, run_id, interrupts)
    good = True
    try:
        snapshot = store.publish()
    except OSError as problem:
        console.print(f"the tables could not be written, --reduce-only tries it again: {problem}")
        good = False
        try:
            snapshot = store.snapshot()
        except OSError:  # a store that does not even answer can tell nothing more
            return report.exit_code or 1
    if good and interrupts.count < 2:
        good = _reduce(sweep, snapshot, run_id)
    say_results(sweep, snapshot, report)
    return report.exit_code or int(not good)


def _run_what_is_left(sweep: Sweep, snapshot: Snapshot, run_id: str, interrupts: Interrupts) -> RunReport:
    """Run the jobs that the store does not have; all that can refuse them does so before the first one starts."""
    common, console, store, plan = sweep.common, sweep.console, sweep.store, sweep.plan
    old = drifted(plan, snapshot, code_digest())
    left = left_to_do(plan, snapshot, store.artifacts, old if common.rerun_drifted else ())
    there = len(plan.jobs) - len(left)
    console.print(f"{sweep.experiment.name}, run {run_id}: {len(left)} jobs to run, {there} already there")
    if old and not common.rerun_drifted:
        console.print(f"{len(old)} of these have rows of other code; --rerun-drifted runs them again")
    _clear_checkpoints(sweep, set(left) - old)
    if not left:
        return RunReport()
    with interrupts.caught(console), contextlib.closing(_backend(sweep)) as backend:
        for wants in {plan.jobs[i].wants for i in left}:
            backend.gpus(wants)  # refuses what no node can ever give
        watchers = _watchers(sweep, run_id, backend, left)
        mark = _record_run(sweep, run_id)
        if (silent := backend.check_nodes(mark, store.artifacts.storage.address)) is not None:
            console.print(silent)
        for job in (plan.jobs[i] for i in left if i in old and plan.jobs[i].stage.artifact):
            store.artifacts.delete(job.stage.name, job.id)  # else the one of the other code would stay
        seconds = {c.stage: c.hours * 3600 for c in count_stages(plan, snapshot, left) if c.hours is not None}
        runner = Runner(
            plan,
            left,
            store,
            backend,
            Progress(seconds_left=seconds, slots=backend.slots),
            run_id,
            run_options(common.attempts, common.max_worker_failures, mark),
            lambda: interrupts.count > 0,
            watchers,
        )
        with log_file(store.storage, run_id):
            return _run_jobs(runner, watchers)


def _clear_checkpoints(sweep: Sweep, kept: Collection[str]) -> None:
    """Delete checkpoints that a killed driver has left of jobs that are done, and those of other code.

    Args:
        kept: ids of the jobs that go on from theirs.
    """
    for job in sweep.plan.jobs.values():
        if job.stage.checkpoints and job.id not in kept:
            try:
                sweep.store.checkpoints_of(job).clear()
            except OSError as problem:
                log.warning("the checkpoints of job %s are not deleted: %s", job.id, problem)


def _run_jobs(runner: Runner, watchers: Sequence[Watcher]) -> RunReport:
    try:
        runner.run()
    except KeyboardInterrupt:  # the second Ctrl-C: what has come in until now is kept
        pass
    except ClusterLost as problem:
        runner.report.cluster = str(problem)
    with contextlib.suppress(KeyboardInterrupt):  # a tracker that still tells of jobs need not be waited for
        for watcher in watchers:
            watcher.close()
    try:
        runner.journal.merge()
    except OSError as problem:  # the parts stand as they are, only more of them
        log.warning("the parts of run %s are not merged: %s", runner.journal.run, problem)
    runner.report.unwritten = runner.journal.buffered  # merging has written what could not be written before, perhaps
    return runner.report


def _watchers(sweep: Sweep, run_id: str, backend: Backend, left: Sequence[str]) -> list[Watcher]:
    """The backend's metrics, and the tracker that was asked for.

    Raises:
        CannotRun: when the tracker cannot be used.
    """
    name = sweep.experiment.name
    watchers = list(backend.watchers(name, Counter(sweep.plan.jobs[i].stage.name for i in left)))
    if sweep.common.tracker == "mlflow":
        from orchestrator.tracking import make_tracker

        watchers.append(make_tracker(name, run_id, sweep.console.print))
    return watchers


def _reduce(sweep: Sweep, snapshot: Snapshot, run_id: str) -> bool:
    """Reduce; an error in it is shown, and does not hide what became of the jobs."""
    try:
        reduce_sweep(sweep, snapshot, run_id)
    except Exception as problem:
        if isinstance(problem, StorageError) or getattr(problem, "errno", None) in _NO_ROOM:
            sweep.console.print(f"the report could not be written, --reduce-only tries it again: {problem}")
            return False
        sweep.console.print(f"reduce of {sweep.experiment.name} failed; --reduce-only tries it again:")
        sweep.console.print(traceback.format_exc().rstrip())
        return False
    return True


def _backend(sweep: Sweep) -> Backend:
    common = sweep.common
    if common.backend == "inline":
        return InlineBackend(common.job_timeout)
    # Ray takes half a second to import, and --plan needs none of it.
    from orchestrator.ray_backend.backend import RayBackend

    backend = RayBackend(common.address, common.num_cpus, common.gpus_per_job, common.job_timeout, common.dashboard)
    sweep.console.print(backend.where)
    return backend


def _record_run(sweep: Sweep, run_id: str) -> Mark:
    """Write what this run was asked; the first file that a run writes, so a place that cannot be written shows here.

    Returns:
        The file, as a mark by which workers know that they share the results.
    """
    record = {
        "command": sweep.command,
        "options": dataclasses.asdict(sweep.common),
        "config": json.loads(canonical_json(sweep.config, "config")),
        "code": code_digest(),
        "versions": json.loads(library_versions()),
    }
    storage = sweep.store.storage
    try:
        sweep.store.write_run(run_id, redactor().tree(record), sweep.plan.table())
    except OSError as problem:
        raise PlanError(f"results cannot be written to {storage.root}: {problem}") from problem
    return storage.address, f"_runs/{run_id}/config.json"
