"""What the orchestrator costs: `python benchmarks/orchestrator.py`, a few minutes; `--sizes 100000` some more.

1. On top of bare Ray: jobs that do nothing and write one row each go through Runner, RayBackend and Store; as many bare
   Ray tasks that do nothing go through the same Ray session in the same window, in turns with them. Every row is on
   disk, synced, when the clock stops. The table shows medians; what a run pays once (plan, merge, publish) stands
   beside.
2. At scale: whole sweeps through the command line on two nodes, resumed, asked for their status (see `scale`).
3. Planning a million jobs.
4. The same sweep through Ray Tune, at a size that it can manage.
5. `sweep.py --list`.
"""

# ruff: noqa: E402  (imports follow the change of sys.path)
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# This file has the name of the package that it measures, so its own folder must not be looked in.
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT / "benchmarks")]

import pyarrow.parquet as pq
import ray
from rich.console import Console
from rich.table import Table

from benchmarks.noop import NOOP, NOOPS, NoopParams
from benchmarks.scale import GOALS, planning, scale_table, tune_seconds
from orchestrator.experiment import Job
from orchestrator.plan import make_plan
from orchestrator.progress import Progress
from orchestrator.ray_backend.backend import RayBackend
from orchestrator.runner import Runner, run_options
from orchestrator.runs import new_run_id
from orchestrator.store import Store

GOAL_MS = 0.5


@ray.remote(max_retries=0)
def nothing(number: int) -> int:
    """A bare task."""
    return number


def bare(n: int, window: int) -> float:
    """Seconds for `n` bare Ray tasks, at most `window` in flight."""
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
    parser.add_argument("--jobs", type=int, nargs="*", default=[1_000, 10_000], help="beside bare Ray")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--num-cpus", type=int, default=None)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000], help="of the sweeps on two nodes")
    parser.add_argument("--planned", type=int, default=1_000_000)
    parser.add_argument("--tune-trials", type=int, default=50, help="0: without Ray Tune")
    options = parser.parse_args()
    console = Console(width=180)
    good = not options.jobs or compare(options.jobs, options.repeats, options.num_cpus, console)
    if options.sizes:
        console.print(scale_table(options.sizes), GOALS, sep="\n")
    if options.planned:
        seconds, megabytes = planning(options.planned)
        console.print(f"{options.planned:,} jobs planned in {seconds:.1f} s and {megabytes:.0f} MB (goal: 20 s)")
    for reuse in (False, True) if options.tune_trials else ():
        took = tune_seconds(options.tune_trials, reuse) / options.tune_trials * 1e3
        console.print(f"Ray Tune, {options.tune_trials} trials, reuse_actors={reuse}: {took:.0f} ms a trial")
    listing = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, ROOT / "sweep.py", "--list"], check=True, stdout=subprocess.DEVNULL)
        listing.append(time.perf_counter() - began)
    console.print(f"sweep.py --list: {statistics.median(listing):.2f} s (goal: under 0.5 s)")
    return 0 if good else 1


def compare(sizes: list[int], repeats: int, num_cpus: int | None, console: Console) -> bool:
    """Print what a sweep costs on top of bare Ray; returns whether the goal is met."""
    load = os.getloadavg()[0]
    backend = RayBackend("local", num_cpus)
    bare(2_000, backend.window)  # workers start, and import what they need
    with tempfile.TemporaryDirectory() as out:
        swept(500, backend, out)
    table = Table(box=None, title=f"ms a job, medians of {repeats}; load before: {load:.1f}", title_justify="left")
    for heading in ("jobs", "bare Ray", "sweep, rows on disk", "on top of Ray", "plan", "merge", "publish"):
        table.add_column(heading, justify="right")
    good = True
    for n in sizes:
        base, sweeps = [], []
        for _ in range(repeats):
            base.append(bare(n, backend.window))
            with tempfile.TemporaryDirectory() as out:
                sweeps.append(swept(n, backend, out))
        ms = {k: statistics.median(s[k] for s in sweeps) / n * 1e3 for k in sweeps[0]}
        plain = statistics.median(base) / n * 1e3
        good &= ms["run"] - plain <= GOAL_MS
        cells = (plain, ms["run"], ms["run"] - plain, ms["plan"], ms["merge"], ms["publish"])
        table.add_row(f"{n:,}", *(f"{value:.3f}" for value in cells))
    backend.close()
    console.print(table)
    console.print(f"goal: at most {GOAL_MS} ms on top of Ray: {'met' if good else 'missed'}")
    return good


if __name__ == "__main__":
    sys.exit(main())
