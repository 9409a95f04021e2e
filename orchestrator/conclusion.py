"""What a run says at its end: what failed and why, where the results are, how to go on."""

from orchestrator.failures import group
from orchestrator.plan import left_to_do
from orchestrator.runs import RunReport
from orchestrator.snapshot import Snapshot
from orchestrator.sweep import Sweep


def say_results(sweep: Sweep, snapshot: Snapshot, report: RunReport) -> None:
    """Print the failures by cause, where the results are, and the command that goes on."""
    store, plan, console = sweep.store, sweep.plan, sweep.console
    failures = snapshot.failures(report.failed)
    for cause in group(failures):
        console.print(f"\n{cause}")
        if cause.traceback:
            console.print(cause.traceback.rstrip())
        if cause.log:
            console.print(f"log: {store.storage.root}/{cause.log}")
    if report.blocked:
        culprits = ", ".join(sorted(set(report.blocked.values())))
        console.print(f"\n{len(report.blocked)} jobs are blocked, since jobs that they need failed: {culprits}")
    if report.stopped:
        console.print(f"\n{len(report.stopped)} jobs were not tried, since their stage was stopped")
    done = len(plan.jobs) - len(left_to_do(plan, snapshot, store.artifacts))
    root = store.storage.root
    console.print(f"\n{done} of {len(plan.jobs)} jobs done. Results:")
    for name in sweep.experiment.tables:
        if store.storage.exists(f"{name}.parquet"):
            console.print(f"  table    {root}/{name}.parquet")
    console.print(f"  jobs     {root}/jobs.parquet")
    for name in store.storage.names("figures"):
        if name.endswith(".png"):
            console.print(f"  figure   {root}/figures/{name}")
    if store.storage.exists("report.html"):
        console.print(f"  report   {root}/report.html")
    if report.left:
        why, again = report.cluster or "interrupted", "the same command goes on from here"
        console.print(f"\n{why}: {report.left} jobs are left; {again}:\n  {sweep.command}")
    elif report.unwritten:
        lost = f"the rows of {report.unwritten} attempts could not be written to {root}: see that there is room"
        console.print(f"\n{lost}; the same command runs their jobs again:\n  {sweep.command}")
    elif not report.good:
        console.print(f"\nsome jobs failed; the same command runs just those again:\n  {sweep.command}")
