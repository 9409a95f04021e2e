"""What the experiments on how attention is learned save: `python benchmarks/attention.py [--only PART ...]`.

The plain way is the published one: statistics document by document, one backward pass a target position, one seed after
another, data read again for each checkpoint. Each part states what it compares, and both ways must agree on equal
inputs.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT)]

from benchmarks.side_by_side import report  # noqa: E402  (follows the change of sys.path)

PARTS = {
    "statistics": "benchmarks.attention_statistics",
    "delta": "benchmarks.attention_delta",
    "copying": "benchmarks.attention_copying",
    "evaluation": "benchmarks.attention_evaluation",
}
LARGEST_DIFFERENCE = 1e-4  # float32 on both sides, added up in another order

if __name__ == "__main__":
    report(__doc__ or "", PARTS, LARGEST_DIFFERENCE)
