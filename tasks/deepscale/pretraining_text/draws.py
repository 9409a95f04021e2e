"""Random numbers that are drawn by number instead of by turn: those of sample i cost nothing of the samples before it.

They are those of SplitMix64 (Steele, Lea and Flood 2014), whose n-th number is a function of seed and n. A NumPy
generator a sample would take longer to make than the sample.
"""

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_ONE, _TWO = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(n) for n in (30, 27, 31, 11))


def numbered(seed: int, numbers: np.ndarray) -> np.ndarray:
    """The draws of these numbers (whole, 0 or more) of the stream `seed`, uint64 of the same shape.

    Each may be the seed of a stream of its own.
    """
    return _mixed(np.uint64(seed) + (numbers.astype(np.uint64) + np.uint64(1)) * _STEP)


def streams(seed_B: np.ndarray, purpose: int, count: int) -> np.ndarray:
    """The first `count` draws of each seed for one purpose, uint64 [B, count]; other purposes give others."""
    own_B = _mixed(seed_B ^ _mixed(np.array([purpose + 1], np.uint64) * _STEP))
    return _mixed(own_B[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _STEP)


def unit(draws: np.ndarray) -> np.ndarray:
    """Draws as float64 in [0, 1), with all of their 53 bits."""
    return (draws >> _S11) * 2.0**-53


def below(draws: np.ndarray, limit: np.ndarray | int) -> np.ndarray:
    """Draws as int64 in 0 … limit - 1."""
    return (unit(draws) * limit).astype(np.int64)


def _mixed(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> _S30)) * _ONE
    x = (x ^ (x >> _S27)) * _TWO
    return x ^ (x >> _S31)
