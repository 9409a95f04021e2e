"""What the diagnostics and the comparisons on proteins save: `python benchmarks/diagnostics.py [--only PART ...]`.

Each part computes the same numbers in the plain (published) way and as built, in one process, in turns, and reports the
largest difference of the results beside the seconds.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT)]

from benchmarks.side_by_side import report  # noqa: E402  (follows the change of sys.path)

PARTS = {
    "jacobian": "benchmarks.diagnostics_jacobian",
    "gradients": "benchmarks.diagnostics_gradients",
    "pwcca": "benchmarks.diagnostics_pwcca",
    "matching": "benchmarks.diagnostics_matching",
}
LARGEST_DIFFERENCE = 1e-4  # float32 states and gradients; what is in float64 differs by rounding alone

if __name__ == "__main__":
    report(__doc__ or "", PARTS, LARGEST_DIFFERENCE)
