"""No-op sweeps through the command line on two nodes: time, memory and files, against the number of jobs."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("plan", "run", "merge", "publish", "reduce")
GOALS = (
    "goals at 100,000 jobs: at most 1 ms a job all in, 500 MB, 1,000 parts; "
    "again 5 s, --status 2 s, read_parquet 1 s; growth linear"
)


@contextmanager
def two_nodes() -> Iterator[str]:
    """The address of a private Ray cluster of two nodes with a CPU each."""
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        before = {name: os.environ.get(name) for name in ("RAY_TMPDIR", "PYTHONPATH")}
        # Drivers do not ship benchmarks/ to the nodes, which are this machine here.
        os.environ |= {"RAY_TMPDIR": folder, "PYTHONPATH": str(ROOT)}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            cluster.add_node(num_cpus=1, runtime_env_dir_name="resources-1")
            yield str(cluster.address)
        finally:
            cluster.shutdown()
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def command(*arguments: object, times: Path | None = None) -> tuple[float, str]:
    """Run the command line in a process of its own; returns its seconds, imports included, and what it printed."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.noop", "--experiment", "noop", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | ({} if times is None else {"SWEEP_TIMES": str(times)}),
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return time.perf_counter() - began, done.stdout


@contextmanager
def most_files(folder: Path) -> Iterator[list[int]]:
    """The largest number of files seen below a folder while the block runs."""
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            most[0] = max(most[0], sum(len(files) for _, _, files in os.walk(folder)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def measure(n: int, address: str, out: Path) -> dict[str, float]:
    """A sweep of `n` jobs, the same again, its status, its table."""
    import pandas as pd

    asked = ("--jobs", n, "--out", out)
    with most_files(out / "noop" / "_parts") as files:
        whole, _ = command(*asked, "--address", address, times=out / "times.json")
    facts = json.loads((out / "times.json").read_text())
    facts |= {"whole": whole, "parts": files[0], "all": facts["all"] - facts.get("connect", 0.0)}
    facts["again"], said = command(*asked)
    facts["status"], shown = command(*asked, "--status")
    if f"0 jobs to run, {n} already there" not in said or f"{n} of {n} jobs done" not in shown:
        raise RuntimeError(f"the sweep of {n} jobs is not finished: {said} {shown}")
    began = time.perf_counter()
    frame = pd.read_parquet(out / "noop" / "noops.parquet")
    facts["read"] = time.perf_counter() - began
    if sorted(frame["value"]) != list(map(float, range(n))):
        raise RuntimeError(f"{n} jobs gave {len(frame)} rows")
    return facts


PLANNING = """
import sys, time
from benchmarks.noop import Config, plan
from orchestrator.plan import make_plan
from orchestrator.memory import peak_memory_mb
before, began = peak_memory_mb(), time.perf_counter()
made = make_plan(plan(Config(jobs=int(sys.argv[1]))))
print(len(made.jobs), time.perf_counter() - began, peak_memory_mb() - before)
"""


def planning(n: int) -> tuple[float, float]:
    """Seconds to plan `n` jobs, ids included, and the MB that the plan takes, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PLANNING, str(n)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    made, seconds, megabytes = map(float, done.stdout.split())
    if made != n:
        raise RuntimeError(f"{n} jobs gave a plan of {made:.0f}")
    return seconds, megabytes


def tune_seconds(trials: int, reuse_actors: bool) -> float:
    """Seconds for the same sweep through Ray Tune, on one node of two CPU slots."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.tune", str(trials), "on" if reuse_actors else "off"],
            cwd=ROOT,
            env=os.environ | {"RAY_TMPDIR": folder},
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    return float(done.stdout.split()[-1])


def scale_table(sizes: Sequence[int]) -> Table:
    """A line a size. The steps and all of them together, without Ray's start, are in ms a job."""
    table = Table(box=None, title="through the command line, two nodes of 1 CPU; ms a job", title_justify="left")
    headings = (*STEPS, "all in", "command s", "peak MB", "most parts", "again s", "--status s", "read_parquet s")
    for heading in ("jobs", *headings, "load"):
        table.add_column(heading, justify="right")
    with two_nodes() as address:
        for n in sizes:
            load = os.getloadavg()[0]
            with tempfile.TemporaryDirectory() as out:
                facts = measure(n, address, Path(out))
            steps = [f"{facts.get(step, 0.0) / n * 1e3:.3f}" for step in (*STEPS, "all")]
            rest = [f"{facts[k]:.1f}" for k in ("whole",)] + [f"{facts[k]:.0f}" for k in ("peak_mb", "parts")]
            ends = [f"{facts[k]:.2f}" for k in ("again", "status", "read")]
            table.add_row(f"{n:,}", *steps, *rest, *ends, f"{load:.1f}")
    return table
