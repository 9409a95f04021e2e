"""Streaming moments against all rows at once, with offsets, shuffled rows, in parts and merged."""

import pytest
import torch

from metrics import moments
from metrics.moments import CrossMoments, empty_moments, merged, moments_bytes


def rows(n, offset=0.0, seed=0):
    """[2 levels, n, 3] and [3 levels, n, 4], correlated."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(2, n, 3, dtype=torch.float64, generator=random) + offset
    y = torch.randn(3, n, 4, dtype=torch.float64, generator=random) + x[:1, :, :1] - 2 * offset
    return x, y


def streamed(x, y, order=None, chunk=7):
    found = empty_moments((2, 3), (3, 4), shuffled=order is not None)
    for start in range(0, x.shape[1], chunk):
        at = slice(start, start + chunk)
        found.update(x[:, at], y[:, at], None if order is None else order[at] - start)
    return found


def check(found: CrossMoments, x, y, order=None, close=1e-12):
    n = x.shape[1]
    assert found.count == n
    cx, cy = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    for side, (whole, centred) in enumerate(((x, cx), (y, cy))):
        for level in range(len(whole)):
            torch.testing.assert_close(found.mean(side, level), whole[level].mean(0), rtol=1e-13, atol=0)
            expected = centred[level].T @ centred[level]
            torch.testing.assert_close(found.scatter(side, level), expected, rtol=close, atol=close * n)
            assert torch.equal(found.scatter(side, level), found.scatter(side, level).T)
    for a in range(2):
        for b in range(3):
            torch.testing.assert_close(found.cross(a, b), cx[a].T @ cy[b], rtol=close, atol=close * n)
            if order is not None:
                expected = cx[a].T @ cy[b][order]
                torch.testing.assert_close(found.cross(a, b, shuffled=True), expected, rtol=close, atol=close * n)


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_streamed_is_at_once_whatever_the_offset(offset):
    x, y = rows(50, offset)
    order = torch.cat([s + torch.randperm(min(7, 50 - s)) for s in range(0, 50, 7)])
    # Features of size 1e4 are themselves known to 1e-12.
    close = 1e-12 if offset == 0 else 1e-10
    check(streamed(x, y, order), x, y, order, close)
    check(streamed(x, y), x, y, close=close)


def test_unshifted_sums_would_lose_the_digits():
    """What the shift is for: about zero the scatter is the small difference of two sums of 1e8 a row."""
    x, y = rows(50, 1e6)
    found = streamed(x, y)
    centred = x[0] - x[0].mean(0)
    plain = x[0].T @ x[0] - 50 * torch.outer(x[0].mean(0), x[0].mean(0))
    expected = centred.T @ centred
    assert (found.scatter(0, 0) - expected).abs().max() < 1e-3 * (plain - expected).abs().max()


def test_float32_rows_are_summed_in_float64():
    x, y = rows(3000, 3.0)
    x, y = x.float(), y.float()
    found = streamed(x, y, chunk=500)
    check(found, x.double(), y.double())
    assert found.between.dtype == torch.float64


def test_copies_of_rows_do_not_change_it(monkeypatch):
    x, y = rows(50)
    order = torch.randperm(50)
    expected = streamed(x, y, order, chunk=50)
    monkeypatch.setattr(moments, "ROWS", 8)
    found = streamed(x, y, order, chunk=50)
    torch.testing.assert_close(found.between, expected.between, rtol=1e-12, atol=1e-12)
    assert found.between_shuffled is not None
    torch.testing.assert_close(found.between_shuffled, expected.between_shuffled, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("split", [0, 1, 20, 50])
def test_merged_moments_are_those_of_all_rows(split):
    x, y = rows(50, 100.0)
    order = torch.cat([torch.randperm(split), split + torch.randperm(50 - split)])
    parts = [streamed(x[:, :split], y[:, :split], order[:split], chunk=50)]
    rest = empty_moments((2, 3), (3, 4), shuffled=True)
    rest.update(x[:, split:], y[:, split:], order[split:] - split)
    check(merged(parts[0], rest), x, y, order, 1e-10)


def test_memory_does_not_grow_with_rows_and_is_what_is_said():
    few, many = streamed(*rows(5)), streamed(*rows(500))
    sizes = [sum(t.nbytes for t in vars(m).values() if isinstance(t, torch.Tensor)) for m in (few, many)]
    assert sizes[0] == sizes[1]
    assert sizes[0] == moments_bytes((2, 3), (3, 4))


def test_what_does_not_fit_is_refused():
    x, y = rows(5)
    found = empty_moments((2, 3), (3, 4))
    with pytest.raises(ValueError, match=r"rows \(2, 5, 3\) and \(3, 4, 4\); give \[2, N, 3\] and \[3, N, 4\]"):
        found.update(x, y[:, :4])
    with pytest.raises(ValueError, match="shuffled=True"):
        found.update(x, y, torch.arange(5))
    with pytest.raises(ValueError, match="make them with shuffled=True"):
        found.cross(0, 0, shuffled=True)
    with pytest.raises(ValueError, match="give two alike"):
        merged(found, empty_moments((2, 3), (3, 5)))
    with pytest.raises(ValueError, match="the other has none"):
        merged(found, empty_moments((2, 3), (3, 4), shuffled=True))
