"""What the orchestrator costs: `python benchmarks/orchestrator.py`, some minutes; `--sizes 100000` some more.

1. On top of bare Ray (see `overhead`).
2. Whole sweeps through the command line on two nodes, run, resumed, asked for their status (see `scale`).
3. Planning a million jobs.
4. The same sweep through Ray Tune, at a size that it can manage.
5. `sweep.py --list`.
"""

# ruff: noqa: E402  (imports follow the change of sys.path)
import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# This file has the name of the package that it measures, so its own folder must not be looked in.
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT / "benchmarks")]

from rich.console import Console

from benchmarks.scale import GOALS, planning, scale_table, tune_seconds


def main() -> int:
    parser = argparse.ArgumentParser(description="What the orchestrator costs.")
    parser.add_argument("--jobs", type=int, nargs="*", default=[1_000, 10_000], help="beside bare Ray")
    parser.add_argument("--repeats", type=int, default=3, help="beside bare Ray")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000], help="of the sweeps on two nodes")
    parser.add_argument("--planned", type=int, default=1_000_000)
    parser.add_argument("--tune-trials", type=int, default=50, help="0: without Ray Tune")
    options = parser.parse_args()
    console, code = Console(width=180), 0
    if options.jobs:  # in a process of its own: Ray cannot start a cluster of nodes where it has run before
        asked = ["--jobs", *map(str, options.jobs), "--repeats", str(options.repeats)]
        code = subprocess.run([sys.executable, "-m", "benchmarks.overhead", *asked], cwd=ROOT).returncode
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
    return code


if __name__ == "__main__":
    sys.exit(main())
