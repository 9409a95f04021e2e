"""`--status`: how a sweep stands, read from the store alone, so from any machine, while it runs or after.

The plan is read where the last run has recorded the same one (same config, same code): making it again takes longer,
and needs the data at hand.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from orchestrator.code import code_digest
from orchestrator.experiment import Experiment, Job, Stage
from orchestrator.failures import group
from orchestrator.heartbeat import SILENT_SECONDS, RunState, read_state
from orchestrator.identity import canonical_json
from orchestrator.parts import is_plain
from orchestrator.plan import Plan, StageCount, count_stages, left_to_do
from orchestrator.progress import duration
from orchestrator.secrets import redactor
from orchestrator.snapshot import Snapshot
from orchestrator.store import Store

SLOWEST = 5


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What of a job a run has recorded: enough for counting."""

    id: str
    stage: Stage
    needs: Mapping[str, "_Recorded"]
    passes: float


def recorded_plan(experiment: Experiment, config: Any, store: Store) -> Plan | None:
    """The plan of the store's last run, where it was made of this config by this code; else None."""
    runs = store.runs()
    if not runs:
        return None
    try:
        record = json.loads(store.storage.read(f"_runs/{runs[-1]}/config.json"))
        asked = redactor().tree(json.loads(canonical_json(config, "config")))
        if (record["config"], record["code"]) != (asked, code_digest()):
            return None
        data = pa.BufferReader(store.storage.read(f"_runs/{runs[-1]}/plan.parquet"))
        table = pq.ParquetFile(data).read(columns=["job_id", "stage", "needs", "passes"])
        if not all(is_plain(field.type) for field in table.schema):
            return None
        return _plan_of(table, {stage.name: stage for stage in experiment.stages})
    except (OSError, ValueError, KeyError, TypeError):  # damaged, or of another form: the plan is made again
        return None


def _plan_of(table: pa.Table, stages: Mapping[str, Stage]) -> Plan:
    jobs: dict[str, _Recorded] = {}
    dependents: dict[str, list[str]] = {}
    for job_id, stage, needs, passes in zip(*(column.to_pylist() for column in table.columns), strict=True):
        named = json.loads(needs) if needs != "{}" else {}
        jobs[job_id] = _Recorded(job_id, stages[stage], {name: jobs[i] for name, i in named.items()}, passes)
        for need_id in dict.fromkeys(named.values()):
            dependents.setdefault(need_id, []).append(job_id)
    return Plan(cast(Mapping[str, Job], jobs), dependents)


def count_table(counts: Collection[StageCount]) -> Table:
    """The jobs of each stage by how they stand, and what those that are left cost."""
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "jobs", "new", "done", "failed", "blocked", "layer passes left", "hours left on one slot"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for c in counts:
        total = c.new + c.done + c.failed + c.blocked
        hours = "unknown" if c.hours is None else f"{c.hours:.2f}"
        numbers = [str(n) for n in (total, c.new, c.done, c.failed, c.blocked)]
        table.add_row(c.stage, *numbers, f"{c.passes:.4g}", hours if c.new + c.failed + c.blocked else "0")
    return table


def show(experiment: Experiment, store: Store, plan: Plan, console: Console) -> None:
    """Print the counts, what the last run's driver says, the slowest jobs, and failures by cause."""
    snapshot, runs = store.snapshot(), store.runs()
    left = left_to_do(plan, snapshot, store.artifacts)
    counts = count_stages(plan, snapshot, set(left))
    state = read_state(store.storage, runs[-1]) if runs else None
    console.print(
        f"{experiment.name} in {store.storage.root}: {len(plan.jobs) - len(left)} of {len(plan.jobs)} jobs done"
    )
    console.print(f"run {runs[-1]}: {_standing(state, counts)}" if runs else "never run")
    console.print(count_table(counts))
    for line in _slowest(plan, snapshot):
        console.print(line)
    for cause in group(snapshot.failures(left)):
        console.print(f"  {cause}")
        if cause.log:
            console.print(f"    log: {store.storage.root}/{cause.log}")
    for problem in snapshot.problems:
        console.print(f"  {problem}")
    for name in experiment.tables:
        if store.storage.exists(f"{name}.parquet"):
            console.print(f"  {store.storage.root}/{name}.parquet")


def _standing(state: RunState | None, counts: Collection[StageCount]) -> str:
    """What the driver's last word says, in words."""
    if state is None:
        return "its driver has left no word"
    where = f"on {state.host}, {state.backend}"
    if state.ended is not None:
        return f"ended ({state.ended}) {duration(max(0.0, state.age))} ago {where}"
    word = f"last word {duration(max(0.0, state.age))} ago from process {state.pid} {where}"
    if state.age > SILENT_SECONDS:
        return f"its driver is gone without an end ({word}); the same command goes on"
    flying = ", ".join(f"{count} of {stage}" for stage, count in state.in_flight.items()) or "none"
    parts = [f"running ({word})", f"jobs in flight: {flying}, {state.left} left of this run, {state.failed} failed"]
    hours = [count.hours for count in counts if count.new + count.failed + count.blocked]
    if hours and None not in hours:
        seconds = sum(h for h in hours if h is not None) * 3600 / state.slots
        parts.append(f"about {duration(seconds)} left on {state.slots} slots")
    if state.waiting:
        parts.append(state.waiting)
    return "; ".join(parts)


def _slowest(plan: Plan, snapshot: Snapshot) -> list[str]:
    """Lines for the jobs that took longest."""
    attempts = snapshot.attempts.filter(pc.field("current") & pc.field("good"))
    attempts = attempts.select(["job_id", "stage", "seconds", "host"]).sort_by([("seconds", "descending")])
    lines = []
    for batch in attempts.to_batches(max_chunksize=1000):
        for row in batch.to_pylist():
            if row["job_id"] in plan.jobs:
                lines.append(f"  {row['seconds']:.1f} s  {row['stage']} {row['job_id']} on {row['host']}")
            if len(lines) == SLOWEST:
                return ["slowest jobs:", *lines]
    return ["slowest jobs:", *lines] if lines else []
