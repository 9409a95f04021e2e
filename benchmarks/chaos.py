"""What the experiments on ALBERT as an iterated map save, side by side: `python benchmarks/chaos.py [--only PART ...]`.

Each part computes the same numbers in the plain (published) way and as built, in one process, in turns, and reports the
largest difference of the results beside the seconds.
"""

# ruff: noqa: E402  (imports follow the change of sys.path)
import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT)]

import torch
from rich.console import Console
from rich.table import Table

PARTS = {
    "dynamics": "benchmarks.chaos_dynamics",
    "mlm": "benchmarks.chaos_mlm",
    "readout": "benchmarks.chaos_readout",
}
LARGEST_DIFFERENCE = 1e-4  # of losses and accuracies in float32; the other parts agree much better


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    table = Table(title=f"{arguments.threads} thread(s), torch {torch.__version__}")
    for name in ("what", "plain, s", "as built, s", "times faster", "largest difference"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for part in arguments.only:
        for what, plain, ours, apart in importlib.import_module(PARTS[part]).measure():
            if not apart < LARGEST_DIFFERENCE:
                sys.exit(f"{what}: the results differ by {apart:.1e}")
            table.add_row(what, f"{plain:.4g}", f"{ours:.4g}", f"{plain / ours:.1f}", f"{apart:.1e}")
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
