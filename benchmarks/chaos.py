"""What the experiments on ALBERT as an iterated map save, side by side: `python benchmarks/chaos.py [--only PART ...]`.

Each part computes the same numbers in the plain (published) way and as built, in one process, in turns, and reports the
largest difference of the results beside the seconds.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT)]

from benchmarks.side_by_side import report  # noqa: E402  (follows the change of sys.path)

PARTS = {
    "dynamics": "benchmarks.chaos_dynamics",
    "mlm": "benchmarks.chaos_mlm",
    "readout": "benchmarks.chaos_readout",
}
LARGEST_DIFFERENCE = 1e-4  # of losses and accuracies in float32; the other parts agree much better

if __name__ == "__main__":
    report(__doc__ or "", PARTS, LARGEST_DIFFERENCE)
