"""PWCCA as published code defines it, on rows and in loops: what the moments are tested against."""

import numpy as np
import scipy.linalg


def pwcca_on_rows(x, y, ridge: float, *, legacy: bool = False) -> tuple[float, float]:
    """PWCCA(x, y) and the mean correlation by the generalised eigenproblem, variates, QR, Pearson.

    Of centred rows [N, I] and [N, J] with the ridge in parts of the mean scatter; `legacy`: as they are, and the ridge
    too (tasks/transfer/README.md 5).
    """
    x, y = (np.asarray(rows, dtype=np.float64) for rows in (x, y))
    if not legacy:
        x, y = x - x.mean(0), y - y.mean(0)
    n_x, n_y = x.shape[1], y.shape[1]
    sxx, syy, sxy = x.T @ x, y.T @ y, x.T @ y
    units = (1.0, 1.0) if legacy else (np.trace(sxx) / n_x, np.trace(syy) / n_y)
    left = np.block([[np.zeros((n_x, n_x)), sxy], [sxy.T, np.zeros((n_y, n_y))]])
    right = scipy.linalg.block_diag(sxx + ridge * units[0] * np.eye(n_x), syy + ridge * units[1] * np.eye(n_y))
    c = min(np.linalg.matrix_rank(sxx), np.linalg.matrix_rank(syy))
    _, w = scipy.linalg.eigh(left, right, subset_by_index=[n_x + n_y - c, n_x + n_y - 1])
    w = w[:, ::-1]
    p, q = x @ w[:n_x], y @ w[n_x:]
    u = np.linalg.qr(p)[0]
    rho = [np.corrcoef(p[:, k], q[:, k])[0, 1] for k in range(c)]
    alpha = [float(np.sum([abs(x[:, i] @ u[:, k]) for i in range(n_x)])) for k in range(c)]
    return float(np.dot(alpha, rho) / np.sum(alpha)), float(np.mean(rho))
