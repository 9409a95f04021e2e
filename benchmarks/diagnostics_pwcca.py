"""PWCCA from moments against the published solver. Part of `benchmarks/diagnostics.py`.

The plain way is the published one (tasks/transfer/README.md 5): Gram matrices of all rows, the generalised symmetric
eigenproblem of both sides together, the canonical variates of all rows, their QR factorisation and a loop over Pearson
correlations; for the three pairs of three networks all of it three times. As built, the moments are whitened once a
network, and a pair is one SVD. Both must give the same value: of centred rows, with the ridge in parts of the mean
scatter. One thread; seconds are of the processor, so that a busy machine changes them little.

Dimensions: N rows, D features of each network, C = D correlations.
"""

import time
from itertools import combinations

import numpy as np
import scipy.linalg
import torch

from metrics.moments import empty_moments
from metrics.similarity import prepare, pwcca

WIDTH, ROWS, RIDGE = 384, 4000, 1e-6
Row = tuple[str, float, float, float]


def features(n: int, width: int, networks: int, seed: int) -> list[np.ndarray]:
    """Rows [N, D] of several networks with a part in common, float64."""
    random = np.random.default_rng(seed)
    common = random.standard_normal((n, width // 2))
    return [
        common @ random.standard_normal((width // 2, width)) / width**0.5 + random.standard_normal((n, width))
        for _ in range(networks)
    ]


def plain(x: np.ndarray, y: np.ndarray, ridge: float) -> float:
    """The published procedure, with the name that today's SciPy has for the range of eigenvalues, on centred rows."""
    x, y = x - x.mean(0), y - y.mean(0)
    dx, dy, c = x.shape[1], y.shape[1], min(x.shape[1], y.shape[1])
    cross = x.T @ y
    left = np.zeros((dx + dy, dx + dy))
    left[:dx, dx:], left[dx:, :dx] = cross, cross.T
    sxx, syy = x.T @ x, y.T @ y
    sxx, syy = sxx + ridge * np.trace(sxx) / dx * np.eye(dx), syy + ridge * np.trace(syy) / dy * np.eye(dy)
    right = scipy.linalg.block_diag(sxx, syy)
    _, vectors = scipy.linalg.eigh(left, right, subset_by_index=[dx + dy - c, dx + dy - 1])
    vectors = vectors[:, ::-1]
    p, q = x @ vectors[:dx], y @ vectors[dx:]
    correlations = [np.corrcoef(p[:, k], q[:, k])[0, 1] for k in range(c)]
    weights = np.abs(np.linalg.qr(p)[0].T @ x).sum(1)
    return float(weights @ correlations / weights.sum())


def as_built(rows: list[np.ndarray], ridge: float) -> list[float]:
    """PWCCA of all pairs of networks, from moments of the rows."""
    levels, crosses = {}, {}
    for a, b in combinations(range(len(rows)), 2):
        x, y = torch.from_numpy(rows[a]), torch.from_numpy(rows[b])
        moments = empty_moments((1, x.shape[1]), (1, y.shape[1]))
        moments.update(x[None], y[None])
        crosses[a, b] = moments.cross(0, 0)
        for side, network in enumerate((a, b)):
            if network not in levels:
                scatter, mean = moments.scatter(side, 0), moments.mean(side, 0)
                levels[network] = prepare(scatter, mean, len(x), ridge=ridge)
    return [pwcca(levels[a], levels[b], cross).value for (a, b), cross in crosses.items()]


def measure() -> list[Row]:
    """For one pair and for three pairs of three networks: what, plain seconds, seconds as built, largest difference."""
    found: list[Row] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    as_built(features(200, 16, 2, 0), RIDGE)  # libraries load when first used
    for networks in (2, 3):
        rows = features(ROWS, WIDTH, networks, 1)
        clock = time.process_time()
        values = as_built(rows, RIDGE)
        ours = time.process_time() - clock
        clock = time.process_time()
        expected = [plain(x, y, RIDGE) for x, y in combinations(rows, 2)]
        seconds = time.process_time() - clock
        apart = float(np.abs(np.subtract(values, expected)).max())
        found.append((f"PWCCA, {len(values)} pair(s), D={WIDTH}, N={ROWS}", seconds, ours, apart))
    torch.set_num_threads(threads)
    return found
