"""What the experiments on SQuAD save, side by side: `python benchmarks/squad_probes.py [--only PART ...]`.

Each part computes the same numbers in the plain (published) way and as built, in one process, in turns, and reports the
largest difference of the results beside the seconds.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT)]

from benchmarks.side_by_side import report  # noqa: E402  (follows the change of sys.path)

PARTS = {"training": "benchmarks.squad_training", "decoding": "benchmarks.squad_spans"}
LARGEST_DIFFERENCE = 1e-4  # of weights in float32; spans and thresholds are equal

if __name__ == "__main__":
    report(__doc__ or "", PARTS, LARGEST_DIFFERENCE)
