"""Values in pieces against all at once."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from metrics.streaming import EDGES, Stream, inverse_spreads


@given(
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=5),
    seed=st.integers(0, 9),
    offset=st.sampled_from([0.0, 1.0, 1e6]),
)
def test_pieces_give_what_all_at_once_gives(sizes, seed, offset):
    pieces = [np.abs(np.random.default_rng([seed, n]).normal(size=size)) + offset for n, size in enumerate(sizes)]
    stream, every = Stream(), np.concatenate(pieces)
    for piece in pieces:
        stream.add(torch.tensor(piece))
    assert stream.count == len(every) == int(stream.bins.sum())
    if len(every):
        assert stream.least == every.min()
        assert stream.most == every.max()
        assert math.isclose(stream.mean, every.mean(), rel_tol=1e-12)
        inner = np.histogram(every, bins=[-np.inf, *EDGES, np.inf])[0]
        np.testing.assert_array_equal(stream.bins, inner)
    else:
        assert math.isnan(stream.mean)
    if len(every) > 1:
        assert math.isclose(stream.sd, every.std(ddof=1), rel_tol=1e-7, abs_tol=1e-12)
    else:
        assert math.isnan(stream.sd)


def test_what_is_not_finite_is_counted_apart():
    stream = Stream()
    stream.add(torch.tensor([[1.0, torch.nan], [torch.inf, 3.0]]))
    assert (stream.count, stream.not_finite, stream.mean, stream.sd) == (2, 2, 2.0, math.sqrt(2))


def test_inverse_spreads_scale_and_both_definitions():
    v = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for one, four, moved in zip(
        inverse_spreads(v, 0.0), inverse_spreads(4 * v, 0.0), inverse_spreads(v + 7, 0.0), strict=True
    ):
        torch.testing.assert_close(four, one / 4, rtol=1e-14, atol=0)
        torch.testing.assert_close(moved, one, rtol=1e-13, atol=0)
    torch.testing.assert_close(inverse_spreads(v, 0.0)[1], 1 / v.std(-1), rtol=1e-13, atol=0)
    norm = torch.nn.LayerNorm(8, eps=0.1, dtype=torch.float64)
    made = (v - v.mean(-1, keepdim=True)) * inverse_spreads(v, 0.1)[0][..., None]
    torch.testing.assert_close(norm(v), made, rtol=0, atol=1e-14)
