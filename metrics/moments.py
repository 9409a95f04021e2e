"""First and second moments of the features of two networks on the same rows, in one pass and in constant memory.

All levels of both networks are stacked: the products of every level of one with every level of the other are one matrix
product a chunk of rows. Sums are taken of features less the mean of the first chunk, in float64, so that an offset of
any size costs no digits, and float32 features lose nothing beyond their own rounding (a float32 Gram matrix of
LayerNormed features, which are singular, has noise above the published ridge: tasks/transfer/README.md 5).

Dimensions: N rows (positions of all sequences), L levels of the first network, I its features, M levels of the second,
J its features.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

ROWS = 1024
"""Rows that are copied to float64 at a time: 82 MB for thirteen levels of 768."""


@dataclass
class CrossMoments:
    """Sums over rows; `scatter` and `cross` are of features less their means, and no part of it is divided by N."""

    count: int
    """Rows so far."""
    shift_first: Tensor
    """[L, I]: what was taken off every row before summing."""
    shift_second: Tensor
    """[M, J]."""
    sum_first: Tensor
    """[L, I], of shifted features; so are all that follow."""
    sum_second: Tensor
    """[M, J]."""
    own_first: Tensor
    """[L, I, I]: x^T x of each level."""
    own_second: Tensor
    """[M, J, J]."""
    between: Tensor
    """[L I, M J]: x^T y of each pair of levels."""
    between_shuffled: Tensor | None
    """[L I, M J]: the same with the rows of y in another order."""

    def update(self, x_LNI: Tensor, y_MNJ: Tensor, order_N: Tensor | None = None) -> None:
        """Add rows.

        Args:
            x_LNI: of the first network.
            y_MNJ: of the second, for the same rows.
            order_N: a permutation of these rows; row n of x also meets row `order_N[n]` of y, in
                `between_shuffled`.

        Raises:
            ValueError: shapes that do not fit, or an order for moments that keep none (or none where one is kept).
        """
        (L, I), (M, J), N = self.sum_first.shape, self.sum_second.shape, x_LNI.shape[1]  # noqa: E741
        if x_LNI.shape != (L, N, I) or y_MNJ.shape != (M, N, J):
            raise ValueError(
                f"rows {tuple(x_LNI.shape)} and {tuple(y_MNJ.shape)}; give [{L}, N, {I}] and [{M}, N, {J}]"
            )
        if (order_N is None) != (self.between_shuffled is None):
            raise ValueError("an order of the rows goes with moments made with shuffled=True, and only with these")
        if N == 0:
            return
        if self.count == 0:
            self.shift_first = x_LNI.double().mean(1)
            self.shift_second = y_MNJ.double().mean(1)
        self.count += N
        for start in range(0, N, ROWS):
            x = x_LNI[:, start : start + ROWS].double() - self.shift_first[:, None]
            y = y_MNJ[:, start : start + ROWS].double() - self.shift_second[:, None]
            self.sum_first += x.sum(1)
            self.sum_second += y.sum(1)
            self.own_first.baddbmm_(x.mT, x)
            self.own_second.baddbmm_(y.mT, y)
            stacked = x.transpose(0, 1).flatten(1)
            self.between.addmm_(stacked.T, y.transpose(0, 1).flatten(1))
            if self.between_shuffled is not None and order_N is not None:
                y = y_MNJ[:, order_N[start : start + ROWS]].double() - self.shift_second[:, None]
                self.between_shuffled.addmm_(stacked.T, y.transpose(0, 1).flatten(1))

    def mean(self, side: int, level: int) -> Tensor:
        """[I] or [J]: the mean row of a level of the network 0 (the first) or 1."""
        sums, shifts = ((self.sum_first, self.shift_first), (self.sum_second, self.shift_second))[side]
        return shifts[level] + sums[level] / max(1, self.count)

    def scatter(self, side: int, level: int) -> Tensor:
        """[I, I] or [J, J]: sum over rows of (x - mean)(x - mean)^T, exactly symmetric."""
        own, sums = ((self.own_first, self.sum_first), (self.own_second, self.sum_second))[side]
        centred = own[level] - torch.outer(sums[level], sums[level]) / max(1, self.count)
        return (centred + centred.T) / 2

    def cross(self, level_first: int, level_second: int, *, shuffled: bool = False) -> Tensor:
        """[I, J]: sum over rows of (x - mean)(y - mean)^T; `shuffled`: with the rows of y in the other order.

        Raises:
            ValueError: shuffled rows were not asked for when the moments were made.
        """
        of = self.between_shuffled if shuffled else self.between
        if of is None:
            raise ValueError("these moments have no shuffled rows; make them with shuffled=True")
        I, J = self.sum_first.shape[1], self.sum_second.shape[1]  # noqa: E741
        block = of[level_first * I : (level_first + 1) * I, level_second * J : (level_second + 1) * J]
        return block - torch.outer(self.sum_first[level_first], self.sum_second[level_second]) / max(1, self.count)


def empty_moments(
    first: tuple[int, int], second: tuple[int, int], *, shuffled: bool = False, device: torch.device | str = "cpu"
) -> CrossMoments:
    """Moments of no rows yet, of networks of (levels, features) each; `shuffled`: also with rows in another order."""

    def zeros(*shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float64, device=device)

    wide = first[0] * first[1], second[0] * second[1]
    return CrossMoments(
        count=0,
        shift_first=zeros(*first),
        shift_second=zeros(*second),
        sum_first=zeros(*first),
        sum_second=zeros(*second),
        own_first=zeros(*first, first[1]),
        own_second=zeros(*second, second[1]),
        between=zeros(*wide),
        between_shuffled=zeros(*wide) if shuffled else None,
    )


def moments_bytes(first: tuple[int, int], second: tuple[int, int], *, shuffled: bool = False) -> int:
    """Bytes that `empty_moments` takes, whatever the number of rows."""
    numbers = first[0] * first[1] * second[0] * second[1] * (2 if shuffled else 1)
    numbers += first[0] * first[1] * (first[1] + 2) + second[0] * second[1] * (second[1] + 2)
    return 8 * numbers


def update_bytes(first: tuple[int, int], second: tuple[int, int]) -> int:
    """Bytes of the copies that `update` makes of its rows at most."""
    return 8 * ROWS * (2 * first[0] * first[1] + 3 * second[0] * second[1])


def merged(a: CrossMoments, b: CrossMoments) -> CrossMoments:
    """The moments of the rows of both, about the shift of `a`.

    Raises:
        ValueError: moments of other levels or widths, or only one of them with shuffled rows.
    """
    if a.between.shape != b.between.shape or a.own_first.shape != b.own_first.shape:
        raise ValueError(f"moments of shapes {tuple(a.between.shape)} and {tuple(b.between.shape)}; give two alike")
    if (a.between_shuffled is None) != (b.between_shuffled is None):
        raise ValueError("one of the moments has shuffled rows and the other has none; give two alike")
    if not a.count:
        return b
    u, v = b.shift_first - a.shift_first, b.shift_second - a.shift_second  # rows of b, less the shift of a, gain these

    def moved(products: Tensor, left: Tensor, right: Tensor, of: Tensor, to: Tensor) -> Tensor:
        """Sum of (p + of)(q + to)^T where the sum of p q^T, of p and of q are known."""
        outer = left[..., :, None] * to[..., None, :] + of[..., :, None] * right[..., None, :]
        return products + outer + b.count * of[..., :, None] * to[..., None, :]

    x, y, fx, fy = b.sum_first, b.sum_second, b.sum_first.flatten(), b.sum_second.flatten()
    shuffled = None
    if a.between_shuffled is not None and b.between_shuffled is not None:
        shuffled = a.between_shuffled + moved(b.between_shuffled, fx, fy, u.flatten(), v.flatten())
    return CrossMoments(
        count=a.count + b.count,
        shift_first=a.shift_first,
        shift_second=a.shift_second,
        sum_first=a.sum_first + x + b.count * u,
        sum_second=a.sum_second + y + b.count * v,
        own_first=a.own_first + moved(b.own_first, x, x, u, u),
        own_second=a.own_second + moved(b.own_second, y, y, v, v),
        between=a.between + moved(b.between, fx, fy, u.flatten(), v.flatten()),
        between_shuffled=shuffled,
    )
