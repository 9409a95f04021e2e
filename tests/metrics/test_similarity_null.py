"""The null of independent data, drawn without rows: against rows, and where it is known."""

import numpy as np
import pytest
import torch

from metrics.moments import empty_moments
from metrics.similarity import METRICS, prepare, pwcca, similarities
from metrics.similarity_null import draw_independent, wishart


def scaled_rows(n, width, random, offset=0.0):
    """Rows [n, width] with very different scales, mixed."""
    mix = np.diag(np.logspace(-1, 1, width)) @ np.linalg.qr(np.random.default_rng(5).standard_normal((width,) * 2))[0]
    return random.standard_normal((n, width)) @ mix + offset


def from_rows(x, y, ridge, legacy_uncentred=False):
    moments = empty_moments((1, x.shape[1]), (1, y.shape[1]))
    moments.update(torch.from_numpy(x)[None], torch.from_numpy(y)[None])
    levels = [
        prepare(
            moments.scatter(side, 0),
            moments.mean(side, 0),
            moments.count,
            ridge=ridge,
            legacy_uncentred=legacy_uncentred,
        )
        for side in (0, 1)
    ]
    return levels[0], levels[1], moments.cross(0, 0)


@pytest.mark.parametrize(
    ("n", "i", "j", "ridge", "legacy"),
    [(60, 8, 6, 1e-6, False), (20, 8, 12, 0.1, False), (9, 12, 10, 0.1, False), (60, 6, 8, 1e-3, True)],
)
def test_it_has_the_law_of_simulated_rows(n, i, j, ridge, legacy):
    """Means of 150 draws each agree within their standard errors, at N above, at and below the number of features.

    The covariance that the draws are given is the one that the simulated rows have: the sample's own, fixed.
    """
    random = np.random.default_rng(0)
    x = scaled_rows(n, i, random, 2.0 * legacy)
    y = scaled_rows(n, j, random, legacy)
    first, second, _ = from_rows(x, y, ridge, legacy)
    drawn, simulated = [], []
    root = np.linalg.cholesky(np.cov(y.T) + 1e-12 * np.eye(j)) if n > j else None
    spectrum = second.centred
    wide = (spectrum.values_K.sqrt()[:, None] * spectrum.vectors_HK.T).numpy() / (n - 1) ** 0.5
    for _ in range(150):
        draw = draw_independent(len(first.centred.values_K), second, random, ridge=ridge, legacy_uncentred=legacy)
        drawn.append(list(similarities(first, draw.level, draw.cross(first)).values()))
        z = (
            random.standard_normal((n, j)) @ root.T
            if root is not None
            else random.standard_normal((n, len(wide))) @ wide
        )
        simulated.append(list(similarities(*from_rows(x, z + y.mean(0), ridge, legacy)).values()))
    drawn, simulated = np.array(drawn), np.array(simulated)
    error = np.sqrt((drawn.var(0) + simulated.var(0)) / 150) + 1e-9
    off = dict(zip(METRICS, (drawn.mean(0) - simulated.mean(0)) / error, strict=True))
    assert max(abs(z) for z in off.values()) < 4, off
    np.testing.assert_allclose(drawn.std(0), simulated.std(0), rtol=0.35, atol=1e-9)


def test_a_draw_has_the_scatter_that_its_rows_would_have():
    """A draw's scatters are those of rows: with X beside it the joint matrix is positive semidefinite of rank N - 1."""
    random = np.random.default_rng(1)
    first, second, _ = from_rows(scaled_rows(12, 8, random), scaled_rows(12, 7, random), 0.0)
    draw = draw_independent(8, second, random, ridge=0.0)
    whole = [s.vectors_HK @ torch.diag(s.values_K) @ s.vectors_HK.T for s in (first.centred, draw.level.centred)]
    cross = draw.cross(first)
    joint = torch.cat([torch.cat([whole[0], cross], 1), torch.cat([cross.T, whole[1]], 1)])
    values = torch.linalg.eigvalsh(joint)
    assert (values > -1e-9 * values[-1]).all()
    assert int((values > 1e-9 * values[-1]).sum()) == 11


@pytest.mark.parametrize(("degrees", "size"), [(30, 4), (4, 4), (2, 5), (0, 3)])
def test_wishart_has_its_mean_and_rank(degrees, size):
    random = np.random.default_rng(0)
    draws = np.stack([wishart(degrees, size, random) for _ in range(2000)])
    assert np.linalg.matrix_rank(draws[0]) == min(degrees, size)
    spread = np.sqrt(2 * degrees / 2000) + 1e-12  # of a mean of the diagonal; the others have less
    assert np.abs(draws.mean(0) - degrees * np.eye(size)).max() < 5 * spread


def test_a_small_version_of_the_published_procedure():
    """Independent data score high with few rows for their features, uncentred and with the absolute ridge as published.

    d = 48 at the ratios N/d of 1000 and 5000 rows of 768: 0.823 and 0.338 there.
    """
    random = np.random.default_rng(0)
    for n, expected in ((62, 0.823), (312, 0.338)):
        first, second, _ = from_rows(
            random.standard_normal((n, 48)), random.standard_normal((n, 48)), 1e-3, legacy_uncentred=True
        )
        values = []
        for _ in range(10):
            draw = draw_independent(len(first.centred.values_K), second, random, ridge=1e-3, legacy_uncentred=True)
            values.append(pwcca(first, draw.level, draw.cross(first)).value)
        assert np.mean(values) == pytest.approx(expected, abs=0.03)


def test_equal_streams_draw_equal_values_and_wrong_ranks_are_refused():
    random = np.random.default_rng(3)
    first, second, _ = from_rows(scaled_rows(20, 5, random), scaled_rows(20, 5, random), 1e-6)
    draws = [draw_independent(5, second, np.random.default_rng(7), ridge=1e-6) for _ in range(2)]
    assert torch.equal(draws[0].cross(first), draws[1].cross(first))
    with pytest.raises(ValueError, match="X of rank 20 and Y of rank 5 on 20 rows; give at most 19"):
        draw_independent(20, second, random, ridge=1e-6)
