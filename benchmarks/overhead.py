"""What the orchestrator costs on top of bare Ray: `python -m benchmarks.overhead`.

Jobs that do nothing and write one row each go through Runner, RayBackend and Store; as many bare Ray tasks that do
nothing go through the same Ray session in the same window, in turns with them. Every row is on disk, synced, when the
clock stops. The table shows medians; what a run pays once (plan, merge, publish) stands beside.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.noop import NOOP, NOOPS, NoopParams
from orchestrator.experiment import Job
from orchestrator.plan import make_plan
from orchestrator.progress import Progress
from orchestrator.ray_backend.backend import RayBackend
from orchestrator.runner import Runner
from orchestrator.runs import new_run_id, run_options
from orchestrator.store import Store

GOAL_MS = 0.5


def bare(n: int, window: int) -> float:
    """Seconds for `n` bare Ray tasks, at most `window` in flight."""
    import ray  # after the backend has been imported, which sets what Ray reads when it is

    nothing = ray.remote(max_retries=0)(_nothing)
    refs, submitted, done = [], 0, 0
    began = time.perf_counter()
    while done < n:
        while submitted < n and len(refs) < window:
            refs.append(nothing.remote(submitted))
            submitted += 1
        ready, refs = ray.wait(refs, num_returns=1)
        if refs:
            more, refs = ray.wait(refs, num_returns=len(refs), timeout=0)
            ready += more
        done += len(ray.get(ready))
    return time.perf_counter() - began


def _nothing(number: int) -> int:
    return number


def swept(n: int, backend, out: str) -> dict[str, float]:
    """Seconds for a sweep of `n` jobs, by what is done; its rows are checked."""
    times, clock = {}, time.perf_counter()
    plan = make_plan(Job(stage=NOOP, params=NoopParams(number=i)) for i in range(n))
    times["plan"], clock = time.perf_counter() - clock, time.perf_counter()
    store = Store(out, "noop", {"noops": NOOPS})
    runner = Runner(
        plan, list(plan.jobs), store, backend, Progress(Console(quiet=True)), new_run_id(), run_options(1, 1)
    )
    report = runner.run()
    times["run"], clock = time.perf_counter() - clock, time.perf_counter()
    runner.journal.merge()
    times["merge"], clock = time.perf_counter() - clock, time.perf_counter()
    store.publish()
    times["publish"] = time.perf_counter() - clock
    values = pq.read_table(f"{out}/noop/noops.parquet")["value"].to_pylist()
    if not report.good or sorted(values) != list(map(float, range(n))):
        raise RuntimeError(f"{n} jobs gave {len(values)} rows: {report}")
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description="The cost of the orchestrator on top of bare Ray.")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--num-cpus", type=int, default=None)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    backend = RayBackend("local", options.num_cpus)
    bare(2_000, backend.window)  # workers start, and import what they need
    with tempfile.TemporaryDirectory() as out:
        swept(500, backend, out)
    table = Table(
        box=None, title=f"ms a job, medians of {options.repeats}; load before: {load:.1f}", title_justify="left"
    )
    for heading in ("jobs", "bare Ray", "sweep, rows on disk", "on top of Ray", "plan", "merge", "publish"):
        table.add_column(heading, justify="right")
    good = True
    for n in options.jobs:
        base, sweeps = [], []
        for _ in range(options.repeats):
            base.append(bare(n, backend.window))
            with tempfile.TemporaryDirectory() as out:
                sweeps.append(swept(n, backend, out))
        ms = {k: statistics.median(s[k] for s in sweeps) / n * 1e3 for k in sweeps[0]}
        plain = statistics.median(base) / n * 1e3
        good &= ms["run"] - plain <= GOAL_MS
        cells = (plain, ms["run"], ms["run"] - plain, ms["plan"], ms["merge"], ms["publish"])
        table.add_row(f"{n:,}", *(f"{value:.3f}" for value in cells))
    backend.close()
    console = Console(width=120)
    console.print(table)
    console.print(f"goal: at most {GOAL_MS} ms on top of Ray: {'met' if good else 'missed'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
