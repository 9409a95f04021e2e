"""What simulating moments over a grid saves: `python benchmarks/moments.py [--only PART ...]`.

The plain way is the published one: one grid point after another, tokens from a multivariate normal
distribution with an L x L covariance, autograd, and the L x L sample covariance of output and gradient. As built,
points share simulations where only a scale tells them apart, run together in blocks, and need neither matrix nor graph.
Rows give the seconds of the processor and, in their names, how far the process grew for one point, plain against as
built. The largest difference is of the moments that both ways compute from the same draws (relative to the variance);
both ways' own moments must agree within their errors.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:] = [str(ROOT), *(place for place in sys.path if Path(place).resolve() != ROOT)]

from benchmarks.side_by_side import report  # noqa: E402  (follows the change of sys.path)

PARTS = {name: f"benchmarks.moments_{name}" for name in ("relu", "layernorm", "attention")}
LARGEST_DIFFERENCE = 1e-4  # float32 on one side, with a graph or without

if __name__ == "__main__":
    report(__doc__ or "", PARTS, LARGEST_DIFFERENCE)
