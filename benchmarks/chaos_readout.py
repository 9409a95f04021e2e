"""Readouts of all windows as built against least squares per window. Part of `benchmarks/chaos.py`.

The plain way is what the published code does: for every window the states of its layers and a constant are stacked,
NumPy's least squares (an SVD) solves them, and the outputs of the dev samples give the errors. A sample of windows is
measured, spread evenly over the starts and lengths, and its time is scaled by the rows of all windows over the rows of
those measured, since the time is proportional to them at a fixed number of features. As built, all windows are solved
and all errors made. Both must give the same errors. One process, one thread;
seconds are of the processor, so that a busy machine changes them little.

Dimensions: N examples, L layers, H features.
"""

import time

import numpy as np
import torch

from metrics.layer_sums import add_states, empty_sums
from metrics.readout import WindowSolutions, solve_windows, window_errors
from tasks.transient_chaos.handwriting_readout.letters import STROKES, stroke_curves

STARTS, LENGTHS = range(60), range(1, 61)
N_DEV = 200
BLOCK = 256
MEASURED_STARTS, MEASURED_LENGTHS = (0, 12, 24, 36, 48, 59), (5, 15, 25, 35, 45, 55)

Row = tuple[str, float, float, float]


def contracting_states(n: int, width: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """States [L, N, H] of a random orthogonal map with a nonlinearity, float32, and shares of the letters [N, 2]."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(width, width)))[0]
    x = rng.normal(size=(n, width))
    states = []
    for _ in range(STARTS[-1] + LENGTHS[-1]):
        states.append(x.astype(np.float32))
        x = np.tanh(1.5 * x @ turn)
    share = rng.random(n)
    return torch.from_numpy(np.stack(states)), torch.from_numpy(np.stack([1 - share, share], axis=1))


def as_built(train: torch.Tensor, shares: torch.Tensor, dev: torch.Tensor, dev_shares: torch.Tensor) -> torch.Tensor:
    """Errors [S, W, N] of all windows."""
    curves = [torch.from_numpy(stroke_curves(STROKES, n, "velocity")) for n in LENGTHS]
    sums = empty_sums(0, len(train), train.shape[2], 2)
    for a in range(0, train.shape[1], BLOCK):
        add_states(sums, train[:, a : a + BLOCK], shares[a : a + BLOCK])
    solutions: WindowSolutions = solve_windows(sums, STARTS, curves)
    return window_errors(solutions, curves, 0, dev, dev_shares)


def plain(
    train: np.ndarray, shares: np.ndarray, dev: np.ndarray, dev_shares: np.ndarray, start: int, length: int
) -> np.ndarray:
    """Errors [N] of one window."""
    curves = stroke_curves(STROKES, length, "velocity")

    def rows(x: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = x[start : start + length].astype(np.float64)
        ones = np.ones((*own.shape[:2], 1))
        return np.concatenate([own, ones], axis=2), np.einsum("nc,clk->lnk", weights, curves)

    z, y = rows(train, shares)
    solution = np.linalg.lstsq(z.reshape(-1, z.shape[2]), y.reshape(-1, 2), rcond=None)[0]
    z, y = rows(dev, dev_shares)
    return ((z @ solution - y) ** 2).sum((0, 2)) / (y**2).sum((0, 2))


def measure(sizes: tuple[tuple[int, int], ...] = ((64, 400), (128, 400), (128, 1000))) -> list[Row]:
    """For each (width, training samples): what, plain seconds (scaled), seconds as built, largest difference of errors.

    Raises:
        AssertionError: the two ways differ by more than a millionth of the error.
    """
    found = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for width, n in sizes:
        train, shares = contracting_states(n, width, 1)
        dev, dev_shares = contracting_states(N_DEV, width, 2)
        as_built(train[:, :BLOCK], shares[:BLOCK], dev[:, :10], dev_shares[:10])  # libraries load when first used
        clock = time.process_time()
        errors = as_built(train, shares, dev, dev_shares)
        ours = time.process_time() - clock
        train_LNH, shares_NC, dev_LNH, dev_shares_NC = (x.numpy() for x in (train, shares, dev, dev_shares))
        clock = time.process_time()
        checked = {
            (s, n): plain(train_LNH, shares_NC, dev_LNH, dev_shares_NC, s, n)
            for s in MEASURED_STARTS
            for n in MEASURED_LENGTHS
        }
        seconds = time.process_time() - clock
        scaled = seconds * len(STARTS) * sum(LENGTHS) / (len(MEASURED_STARTS) * sum(MEASURED_LENGTHS))
        off = max(float(np.abs(errors[s, n - 1].numpy() / own - 1).max()) for (s, n), own in checked.items())
        assert off < 1e-6, f"errors differ by {off:.1e} of themselves"
        what = f"readout, {len(STARTS)} x {len(LENGTHS)} windows, H={width}, N={n}"
        found.append((what, scaled, ours, off))
    torch.set_num_threads(threads)
    return found
