"""The effective dimension of an ensemble of states, from Gram matrices: no SVD, no state written.

ED = (sum l)^2 / sum l^2 over the eigenvalues l of the covariance, the participation ratio, in 1 .. min(N - 1, D)
(`tasks/transient_chaos/README.md 7`). With the centred Gram matrix G = Xc Xc^T it is (tr G)^2 / ||G||_F^2; G is a sum
over blocks of columns, so only one block is ever copied.

Dimensions: N sentences, T tokens, H hidden, D = T H.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

COLUMNS = 4096
"""Columns of a block at most: 33 MB in float64 for 1000 sentences."""
ROWS = 128
"""Rows of a product at a time; only the upper triangle of such tiles is computed."""
SMALLEST = 8
"""Spread of the states, in eps of their type and parts of their norm, below which it is rounding."""


def gram_participation(
    states: Tensor | Sequence[Tensor],
    *,
    products: torch.dtype | None = None,
    legacy_uncentred: bool = False,
) -> float:
    """ED of states [N, T, H] (or [N, D]), or of batches of such in the order of their sentences, all at one layer.

    The mean over sentences is subtracted in float64 before anything is multiplied, since after synchronisation the
    centred part can be 1e-3 of the mean. The products within a block are taken in `products`, by default the states'
    own type (at least float32; plain float32, so TF32 must be off), and blocks are summed in float64. For float32
    states that costs 1e-7 of ED at most in the tests; torch.float64 takes up to twice the time on a CPU.

    NaN where all rows are identical up to rounding: sqrt(tr G) <= 8 eps ||X||_F, eps of the states' type. States that
    have fallen onto one keep differences of 1 to 2 eps in all directions, whose ED is large and says nothing; at this
    limit they are a sixteenth of the variance or less. NaN too where a state is not finite: leave such sentences out.
    `legacy_uncentred` reproduces a published branch that forgot the mean (and is about 1 whenever the mean is large).

    Raises:
        ValueError: fewer than two sentences, or batches that do not fit together.
    """
    return _participation(states, products, legacy_uncentred, False)[0]


def token_participation(
    states: Tensor | Sequence[Tensor], *, products: torch.dtype | None = None, legacy_uncentred: bool = False
) -> tuple[float, list[float]]:
    """(`gram_participation` of the whole states, the same of every token alone [T]), at the cost of the former.

    The Gram matrix of the whole is the sum of the tokens'. Token 0 is the first, `[CLS]`.
    """
    return _participation(states, products, legacy_uncentred, True)


def _participation(
    states: Tensor | Sequence[Tensor], products: torch.dtype | None, legacy_uncentred: bool, per_token: bool
) -> tuple[float, list[float]]:
    batches = [states] if isinstance(states, Tensor) else list(states)
    shapes = {tuple(batch.shape[1:]) for batch in batches}
    N = sum(len(batch) for batch in batches)
    if len(shapes) != 1 or N < 2 or len(next(iter(shapes))) not in (1, 2):
        raise ValueError(
            f"batches of shapes {[tuple(b.shape) for b in batches]}; give [n, T, H] alike but for n, "
            "and at least 2 sentences"
        )
    batches = [batch.unsqueeze(1) if batch.ndim == 2 else batch for batch in batches]
    products = products or torch.promote_types(batches[0].dtype, torch.float32)
    eps = torch.finfo(batches[0].dtype).eps
    whole, whole_square = batches[0].new_zeros((N, N), dtype=torch.float64), 0.0
    tokens: list[float] = []
    T, H = batches[0].shape[1:]
    stride = 1 if per_token else max(1, COLUMNS // max(1, H))
    for token in range(0, T, stride):
        gram = torch.zeros_like(whole) if per_token else whole
        square = 0.0
        for block in _blocks(batches, token, token + stride):
            square += float(torch.linalg.vector_norm(block)) ** 2
            if not legacy_uncentred:
                block -= block.mean(0)
            _add_gram(gram, block.to(products))
        whole_square += square
        if per_token:
            tokens.append(_ratio(gram, square, eps))
            whole += gram
    return _ratio(whole, whole_square, eps), tokens


def _blocks(batches: list[Tensor], first: int, end: int) -> Iterator[Tensor]:
    """float64 copies [N, <= COLUMNS] of the columns of tokens `first` to `end` (exclusive)."""
    columns = [batch[:, first:end].flatten(1) for batch in batches]
    for start in range(0, columns[0].shape[1], COLUMNS):
        parts = [part[:, start : start + COLUMNS].to(torch.float64, copy=True) for part in columns]
        yield parts[0] if len(parts) == 1 else torch.cat(parts)


def _add_gram(gram: Tensor, block: Tensor) -> None:
    """Add the upper triangle, in tiles, of block block^T."""
    for row in range(0, len(block), ROWS):
        tile = block[row : row + ROWS] @ block[row:].T
        gram[row : row + ROWS, row:] += tile


def _ratio(gram: Tensor, square: float, eps: float) -> float:
    """(tr G)^2 / ||G||_F^2, of which the upper triangle of tiles is filled."""
    trace = float(gram.trace())
    if not trace > (SMALLEST * eps) ** 2 * square:
        return float("nan")
    upper = gram.triu(1)
    return trace**2 / (float(gram.diagonal().square().sum()) + 2 * float(upper.square().sum()))
