"""The readout as the text defines it, by least squares of all states of a window (README 8).

Dimensions: N examples, L layers, H features, n layers of a window.
"""

import numpy as np
from scipy.interpolate import interp1d


def curve(points, n: int, mode: str) -> np.ndarray:
    """[n, 2]: velocity by the central difference of 5e-6, or its running sum."""
    path = interp1d(np.linspace(0, 1, len(points)), np.asarray(points), axis=0, fill_value="extrapolate")  # pyright: ignore
    q = np.array([j / (n - 1) for j in range(n)]) if n > 1 else np.array([0.0])
    velocity = (path(q + 5e-6) - path(q - 5e-6)) / 1e-5
    return np.cumsum(velocity, axis=0) if mode == "position" else velocity


def readout(train, dev, share_train, share_dev, u, s, i1: int, i2: int) -> tuple[np.ndarray, np.ndarray]:
    """Solution [H + 1, 2] and error of each dev sample, for states [N, L, H] and the window [i1, i2)."""

    def rows(states, share):
        x = np.concatenate([states[:, i1:i2], np.ones((len(states), i2 - i1, 1))], axis=2)
        y = (1 - share)[:, None, None] * u + share[:, None, None] * s
        return x, y

    x, y = rows(train, share_train)
    solution = np.linalg.lstsq(x.reshape(-1, x.shape[2]), y.reshape(-1, 2), rcond=None)[0]
    x, y = rows(dev, share_dev)
    return solution, ((x @ solution - y) ** 2).sum((1, 2)) / (y**2).sum((1, 2))
