"""One run from the command line: start the backend, run what is left, publish, reduce, say what came out."""

import contextlib
import dataclasses
import io
import json
import logging
import signal
import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.backend import Backend, InlineBackend
from orchestrator.code import code_digest, last_changed, library_versions
from orchestrator.experiment import Experiment, PlanError
from orchestrator.failures import group
from orchestrator.identity import canonical_json
from orchestrator.options import Common, command_text
from orchestrator.plan import Plan, count_stages, drifted, left_to_do
from orchestrator.printable import SafeFormatter
from orchestrator.progress import Progress
from orchestrator.reduce import reduce_sweep
from orchestrator.runner import Runner, RunReport, run_options
from orchestrator.runs import new_run_id
from orchestrator.secrets import redact, redactor
from orchestrator.shared import Mark
from orchestrator.snapshot import Snapshot
from orchestrator.store import Store

log = logging.getLogger(__name__)


def run(
    experiment: Experiment,
    common: Common,
    config: Any,
    store: Store,
    plan: Plan,
    arguments: Sequence[str],
    console: Console,
) -> int:
    """Run a sweep, or its reduce alone; returns the exit code (0 good, 1 failures, 130 interrupted)."""
    console.print(f"code {code_digest()}, last changed here {last_changed():%Y-%m-%d %H:%M:%S} UTC")
    snapshot = store.snapshot()
    run_id, command = new_run_id(store.runs()), redact(command_text(arguments))
    for problem in snapshot.problems:
        console.print(problem, markup=False)
    report, interrupts, reduced = RunReport(), Interrupts(), True
    if not common.reduce_only:
        old = drifted(plan, snapshot, code_digest())
        left = left_to_do(plan, snapshot, store.artifacts, old if common.rerun_drifted else ())
        there = len(plan.jobs) - len(left)
        console.print(f"{experiment.name}, run {run_id}: {len(left)} jobs to run, {there} already there")
        if old and not common.rerun_drifted:
            console.print(f"{len(old)} of these have rows of other code; --rerun-drifted runs them again")
        if left:
            with interrupts.caught(console), contextlib.closing(_backend(common, console)) as backend:
                for wants in {plan.jobs[i].wants for i in left}:
                    backend.gpus(wants)  # refuses, before anything starts, what no node can ever give
                mark = _record_run(store, run_id, common, config, command, plan)
                if not isinstance(backend, InlineBackend):
                    _check_nodes(store, mark, console)
                for job in (plan.jobs[i] for i in left if i in old and plan.jobs[i].stage.artifact):
                    store.artifacts.delete(job.stage.name, job.id)  # else the one of the other code would stay
                with _log_file(store, run_id):
                    report = _run_jobs(
                        experiment, common, store, plan, left, snapshot, run_id, backend, interrupts, mark
                    )
    try:
        snapshot = store.publish()
    except OSError as problem:
        console.print(f"the tables could not be written, --reduce-only tries it again: {problem}", markup=False)
        reduced = False
        try:
            snapshot = store.snapshot()
        except OSError:  # a store that does not even answer can tell nothing more
            return 130 if report.left else 1
    if reduced and interrupts.count < 2:
        reduced = _reduce(experiment, config, store, plan, snapshot, run_id, command, console)
    _say_results(experiment, store, plan, snapshot, report, console, command)
    if report.left:
        return 130
    return 0 if report.good and reduced else 1


def _run_jobs(
    experiment: Experiment,
    common: Common,
    store: Store,
    plan: Plan,
    left: list[str],
    snapshot: Snapshot,
    run_id: str,
    backend: Backend,
    interrupts: "Interrupts",
    mark: Mark,
) -> RunReport:
    seconds = {c.stage: c.hours * 3600 for c in count_stages(plan, snapshot, left) if c.hours is not None}
    progress = Progress(seconds_left=seconds, slots=backend.slots)
    options = run_options(common.attempts, common.losses, mark)
    watchers = backend.watchers(experiment.name, Counter(plan.jobs[i].stage.name for i in left))
    runner = Runner(plan, left, store, backend, progress, run_id, options, lambda: interrupts.count > 0, watchers)
    with contextlib.suppress(KeyboardInterrupt):  # the second Ctrl-C: what has come in until now is kept
        runner.run()
    for watcher in watchers:
        watcher.close()
    try:
        runner.journal.merge()
    except OSError as problem:  # the parts stand as they are, only more of them
        log.warning("the parts of run %s are not merged: %s", run_id, problem)
    runner.report.unwritten = runner.journal.buffered  # merging has written what could not be written before, perhaps
    return runner.report


def _reduce(
    experiment: Experiment,
    config: Any,
    store: Store,
    plan: Plan,
    snapshot: Snapshot,
    run_id: str,
    command: str,
    console: Console,
) -> bool:
    """Reduce; an error in it is shown, and does not hide what became of the jobs."""
    try:
        reduce_sweep(experiment, config, store, plan, snapshot, run_id, command)
    except Exception:
        console.print(f"reduce of {experiment.name} failed; --reduce-only tries it again:", markup=False)
        console.print(traceback.format_exc().rstrip(), markup=False)
        return False
    return True


def _backend(common: Common, console: Console) -> Backend:
    if common.backend == "inline":
        return InlineBackend(common.job_timeout)
    from orchestrator.ray_backend.backend import (
        RayBackend,  # Ray takes half a second to import, and --plan needs none of it
    )

    backend = RayBackend(common.address, common.num_cpus, common.gpus_per_job, common.job_timeout, common.dashboard)
    console.print(backend.where, markup=False)
    return backend


def _check_nodes(store: Store, mark: Mark, console: Console) -> None:
    from orchestrator.ray_backend.nodes import check_nodes

    if (silent := check_nodes(mark, store.artifacts.storage.address)) is not None:
        console.print(silent, markup=False)


class Interrupts:
    """Ctrl-C and SIGTERM: the first asks the runner to finish what runs, the second stops now."""

    def __init__(self):
        self.count = 0

    @contextlib.contextmanager
    def caught(self, console: Console) -> Iterator[None]:
        """Count the signals while the block runs."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handle(number: int, frame: object) -> None:
            self.count += 1
            if self.count > 1:
                raise KeyboardInterrupt
            console.print("no new jobs are started; what runs is finished (interrupt again to stop now)")

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _LogFile(logging.FileHandler):
    """A log that on a full disk lacks messages, and does not print a traceback for each of them instead."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextlib.contextmanager
def _log_file(store: Store, run_id: str) -> Iterator[None]:
    """Everything from level info on, into `_runs/<run>/log` (on object stores it is written at the end)."""
    name = f"_runs/{run_id}/log"
    memory = io.StringIO()
    handler: logging.Handler
    if store.storage.is_local:
        handler = _LogFile(Path(store.storage.root, name), encoding="utf-8")
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
            if not store.storage.is_local:
                store.storage.write(name, memory.getvalue().encode())
        except OSError as problem:  # a log that cannot be written is no reason to lose the rest
            log.warning("the log of run %s is not whole: %s", run_id, problem)


def _record_run(store: Store, run_id: str, common: Common, config: Any, command: str, plan: Plan) -> Mark:
    """Write what this run was asked; the first file that a run writes, so a place that cannot be written shows here.

    Returns:
        The file, as a mark by which workers know that they share the results.
    """
    record = {
        "command": command,
        "options": dataclasses.asdict(common),
        "config": json.loads(canonical_json(config, "config")),
        "code": code_digest(),
        "versions": json.loads(library_versions()),
    }
    try:
        store.write_run(run_id, redactor().tree(record), plan.table())
    except OSError as problem:
        raise PlanError(f"results cannot be written to {store.storage.root}: {problem}") from problem
    return store.storage.address, f"_runs/{run_id}/config.json"


def _say_results(
    experiment: Experiment,
    store: Store,
    plan: Plan,
    snapshot: Snapshot,
    report: RunReport,
    console: Console,
    command: str,
) -> None:
    failures = snapshot.failures(report.failed)
    for cause in group(failures):
        console.print(f"\n{cause}", markup=False)
        if cause.traceback:
            console.print(cause.traceback.rstrip(), markup=False)
        if cause.log:
            console.print(f"log: {store.storage.root}/{cause.log}", markup=False)
    if report.blocked:
        culprits = ", ".join(sorted(set(report.blocked.values())))
        console.print(f"\n{len(report.blocked)} jobs are blocked, since jobs that they need failed: {culprits}")
    if report.stopped:
        console.print(f"\n{len(report.stopped)} jobs were not tried, since their stage was stopped")
    done = len(plan.jobs) - len(left_to_do(plan, snapshot, store.artifacts))
    root = store.storage.root
    console.print(f"\n{done} of {len(plan.jobs)} jobs done. Results:")
    for name in experiment.tables:
        if store.storage.exists(f"{name}.parquet"):
            console.print(f"  table    {root}/{name}.parquet", markup=False)
    console.print(f"  jobs     {root}/jobs.parquet", markup=False)
    for name in store.storage.names("figures"):
        if name.endswith(".png"):
            console.print(f"  figure   {root}/figures/{name}", markup=False)
    if store.storage.exists("report.html"):
        console.print(f"  report   {root}/report.html", markup=False)
    if report.left:
        again = "the same command goes on from here"
        console.print(f"\ninterrupted: {report.left} jobs are left; {again}:\n  {command}", markup=False)
    elif report.unwritten:
        lost = f"the rows of {report.unwritten} attempts could not be written to {root}: see that there is room"
        console.print(f"\n{lost}; the same command runs their jobs again:\n  {command}", markup=False)
    elif not report.good:
        console.print(f"\nsome jobs failed; the same command runs just those again:\n  {command}", markup=False)
