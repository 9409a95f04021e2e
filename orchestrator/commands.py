"""What the command line can be asked beside a run: --plan, --status, --describe, --gc, --reduce-only."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from orchestrator import session, status
from orchestrator.artifacts import Artifacts
from orchestrator.backend import CannotRun
from orchestrator.checkpoints import unneeded
from orchestrator.code import code_digest
from orchestrator.experiment import Experiment, PlanError
from orchestrator.names import is_name
from orchestrator.options import Common, UsageError, command_text
from orchestrator.parts import JOBS, JOBS_SPEC, NewerSchema, full_schema
from orchestrator.persistence import StorageError
from orchestrator.plan import Plan, count_stages, drifted, left_to_do, make_plan
from orchestrator.printable import Terminal
from orchestrator.secrets import redact
from orchestrator.storage import BadAddress, Storage
from orchestrator.store import Store
from orchestrator.sweep import Sweep

EXPECTED = (PlanError, UsageError, CannotRun, NewerSchema, PermissionError, BadAddress, StorageError)
"""Errors that are the user's to mend: bad data, a missing file, an impossible option, a dead store. Others are bugs."""


def run(experiment: Experiment, common: Common, config: Any, arguments: Sequence[str]) -> int:
    """Do what the options ask; returns the exit code."""
    console = Terminal()
    pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keeps what was freed: 80 MB at 100,000 jobs
    if common.describe:
        return _describe(experiment, console)
    store = Store.of(common.out, experiment)
    if common.status and (recorded := status.recorded_plan(experiment, config, store)) is not None:
        status.show(experiment, store, recorded, console)
        return 0
    try:
        plan = make_plan(experiment.plan(config))
    except (ValueError, FileNotFoundError) as problem:  # data, weights or options that the plan cannot do with
        raise PlanError(str(problem)) from problem
    if common.status:
        status.show(experiment, store, plan, console)
        return 0
    if common.gc:
        return _gc(store, plan, common, console)
    if common.plan:
        return _plan(experiment, store, plan, common, console)
    sweep = Sweep(
        experiment=experiment,
        common=common,
        config=config,
        store=store,
        plan=plan,
        command=redact(command_text(arguments)),
        console=console,
    )
    return session.run(sweep)


def _describe(experiment: Experiment, console: Console) -> int:
    shared = [
        (name, spec, [s for s in experiment.stages if name in s.tables]) for name, spec in experiment.tables.items()
    ]
    for name, spec, stages in [*shared, (JOBS, JOBS_SPEC, [])]:
        table = Table(title=f"{name}.parquet: {spec.doc}", title_justify="left", box=None, pad_edge=False)
        for heading in ("column", "type", "meaning"):
            table.add_column(heading)
        for field in full_schema(spec, stages) if stages else spec.schema:
            doc = (field.metadata or {}).get(b"doc", b"parameter of the job").decode()
            table.add_row(field.name, str(field.type), doc)
        console.print(table)
        console.print()
    return 0


def _plan(experiment: Experiment, store: Store, plan: Plan, common: Common, console: Console) -> int:
    snapshot = store.snapshot()
    old = drifted(plan, snapshot, code_digest())
    left = left_to_do(plan, snapshot, store.artifacts, old if common.rerun_drifted else ())
    console.print(f"{experiment.name}: {len(plan.jobs)} jobs, {len(left)} to run; results in {store.storage.root}")
    console.print(status.count_table(count_stages(plan, snapshot, set(left))))
    console.print("a layer pass is one application of an encoder layer to one sequence (backward passes count as two)")
    if old:
        console.print(f"{len(old)} done jobs have rows of other code; --rerun-drifted runs them again")
    return 0


def _gc(store: Store, plan: Plan, common: Common, console: Console) -> int:
    """Delete artifacts and checkpoints that neither this plan nor the last one of any other sweep under --out names."""
    root = Storage.at(common.out)
    keep = set(plan.jobs)
    for name in filter(lambda folder: is_name("experiment", folder), root.folders()):
        other = Store(common.out, name, {})
        keep |= {i for run in other.runs()[-1:] for i in other.planned_ids(run)}
    artifacts = Artifacts(root.below("artifacts"))
    gone = [(stage, job_id) for stage, job_id in artifacts.all() if job_id not in keep]
    for stage, job_id in gone:
        artifacts.delete(stage, job_id)
        console.print(f"deleted {stage}/{job_id}", markup=False)
    console.print(f"{len(gone)} artifacts deleted, {len(artifacts.all())} kept in {artifacts.storage.root}")
    for checkpoints in unneeded(store.checkpoints, keep):
        checkpoints.clear()
        console.print(f"deleted the checkpoints of {checkpoints.stage}/{checkpoints.job_id}", markup=False)
    return 0
