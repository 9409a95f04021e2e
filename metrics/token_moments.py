"""Mean, variance and covariance of two tokens, of streamed blocks.

The published simulations average the off-diagonal of a T x T sample covariance; (sum_t y)^2 - sum_t y^2 is the same
number in O(T) work and memory. Sums are float64, whatever the values are.

Dimensions: G grid points, B trials of a block, T tokens, D features; a sample is a trial and a feature.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class TokenSums:
    """Sums over samples, float64; adding those of two blocks gives those of both."""

    samples: int
    """Samples of each token: B D."""
    token_GT: Tensor
    """Sum over samples, for each token."""
    square_G: Tensor
    """Sum of y^2 over samples and tokens."""
    pair_G: Tensor
    """Sum over samples of (sum over tokens of y)^2."""

    def __add__(self, other: "TokenSums") -> "TokenSums":
        return TokenSums(
            self.samples + other.samples,
            self.token_GT + other.token_GT,
            self.square_G + other.square_G,
            self.pair_G + other.pair_G,
        )


def token_sums(y_GBTD: Tensor) -> TokenSums:
    """The sums of one block."""
    G, B, _, D = y_GBTD.shape
    over_tokens = y_GBTD.sum(2, dtype=torch.float64)
    return TokenSums(
        B * D,
        y_GBTD.sum((1, 3), dtype=torch.float64),
        # Squares are rounded to the precision of y before they are summed: an error without a direction.
        (y_GBTD * y_GBTD).reshape(G, -1).sum(1, dtype=torch.float64),
        (over_tokens * over_tokens).sum((1, 2)),
    )


def token_moments(sums: TokenSums) -> tuple[Tensor, Tensor, Tensor]:
    """[G] each: mean and variance (E[y^2] - mean^2) over all elements; covariance of two tokens.

    The covariance is the mean off-diagonal element of the unbiased T x T sample covariance; NaN of a single sample or a
    single token.
    """
    n, T = sums.samples, sums.token_GT.shape[1]
    mean = sums.token_GT.sum(1) / (n * T)
    var = sums.square_G / (n * T) - mean**2
    means_GT = sums.token_GT / n
    products = sums.pair_G - sums.square_G - n * (means_GT.sum(1) ** 2 - (means_GT**2).sum(1))
    if n < 2 or T < 2:
        return mean, var, torch.full_like(mean, torch.nan)
    return mean, var, products / ((n - 1) * T * (T - 1))
