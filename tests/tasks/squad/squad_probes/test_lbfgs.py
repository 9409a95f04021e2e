"""Many problems at once: exact minima, SciPy's L-BFGS-B on each alone, ill-conditioned and finished ones."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from tasks.squad.squad_probes.lbfgs import minimise
from tasks.squad.squad_probes.probes import losses_and_gradients, make_layout


def quadratics(conditions, H=12):
    """Problems 1/2 (w - c)' A (w - c) with eigenvalues from 1 to the condition number: objective and minima."""
    rng = np.random.default_rng(0)
    turns = [np.linalg.qr(rng.normal(size=(H, H)))[0] for _ in conditions]
    values = [q @ np.diag(np.geomspace(1, k, H)) @ q.T for q, k in zip(turns, conditions, strict=True)]
    a, c = torch.tensor(np.stack(values)), torch.tensor(rng.normal(size=(len(conditions), H)))

    def objective(w):
        g = torch.einsum("gij,gj->gi", a, w - c)
        return 0.5 * ((w - c) * g).sum(dim=1), g

    return objective, c


def softmax_problems(G=6, windows=40, positions=15, H=8):
    """L2-regularised multinomial problems with strengths from 1e-4 to 1."""
    rng = np.random.default_rng(2)
    x = torch.tensor(rng.normal(size=(1, windows * positions, H)) * np.geomspace(0.1, 3, H))
    layout = make_layout(np.full(windows, positions), "cpu")
    target = torch.tensor(rng.integers(0, positions, size=(G, windows)))
    l2 = torch.tensor(np.geomspace(1e-4, 1, G))

    def objective(w):
        share = torch.full((G, windows), 1 / windows, dtype=torch.float64)
        loss, g = losses_and_gradients(x, w[None], layout, target, share)
        return loss[0] + l2 / 2 * w.square().sum(dim=1), g[0] + l2[:, None] * w

    return objective, (G, H)


def test_quadratics_are_solved_exactly():
    objective, c = quadratics([1.0, 3.0, 100.0])
    found = minimise(objective, torch.zeros_like(c), tolerance=1e-11, max_iterations=200)
    assert found.converged.all()
    assert torch.allclose(found.w, c, atol=1e-10)
    assert found.gradient.max() <= 1e-11
    assert found.iterations[0] <= 3  # a sphere needs a scaling and a step


def test_softmax_problems_agree_with_scipy():
    objective, (G, H) = softmax_problems()
    found = minimise(objective, torch.zeros(G, H, dtype=torch.float64), tolerance=1e-8, max_iterations=500)
    assert found.converged.all()
    for g in range(G):

        def alone(v, g=g):
            w = torch.zeros(G, H, dtype=torch.float64)
            w[g] = torch.from_numpy(v)
            loss, gradient = objective(w)
            return float(loss[g]), gradient[g].numpy()

        theirs = minimize(alone, np.zeros(H), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
        assert float(found.loss[g]) == pytest.approx(theirs.fun, rel=1e-8)
        assert np.abs(found.w[g].numpy() - theirs.x).max() < 1e-4


def test_an_ill_conditioned_problem_converges():
    objective, c = quadratics([1e5])
    found = minimise(objective, torch.zeros_like(c), tolerance=1e-6, max_iterations=2000)
    assert found.converged.all()
    assert torch.allclose(found.w, c, atol=1e-5)


def test_a_problem_at_its_minimum_stays_there_and_no_problem_sees_the_others():
    objective, c = quadratics([50.0, 300.0, 2e3])
    start = torch.zeros_like(c)
    start[0] = c[0]
    given = {"tolerance": 1e-9, "max_iterations": 500}
    found = minimise(objective, start, **given)
    assert found.iterations[0] == 0
    assert torch.equal(found.w[0], c[0])
    for g, condition in ((1, 300.0), (2, 2e3)):

        def alone(w, g=g):
            whole = torch.zeros_like(c)
            whole[g] = w[0]
            loss, gradient = objective(whole)
            return loss[g : g + 1], gradient[g : g + 1]

        own = minimise(alone, start[g : g + 1], **given)
        assert own.iterations[0] == found.iterations[g], condition
        assert torch.allclose(own.w[0], found.w[g], rtol=1e-12, atol=1e-13)


def test_too_few_iterations_are_reported():
    objective, c = quadratics([1.0, 1e6])
    found = minimise(objective, torch.zeros_like(c), tolerance=1e-9, max_iterations=5)
    assert found.converged.tolist() == [True, False]
    assert found.iterations[1] == 5
    assert (objective(found.w)[0] == found.loss).all()


def test_rounding_of_losses_does_not_stop_the_search():
    """In float32 the loss has no digits left near the minimum; its slope has."""
    objective, (G, H) = softmax_problems()

    def rounded(w):
        loss, g = objective(w)
        return loss.float().double(), g

    found = minimise(
        rounded, torch.zeros(G, H, dtype=torch.float64), tolerance=1e-7, max_iterations=500, rounding=2.0**-22
    )
    assert found.converged.all()


def test_a_problem_that_no_step_improves_stops_without_having_converged():
    def lying(w):  # the gradient points uphill
        return w.square().sum(dim=1), -2 * w

    found = minimise(lying, torch.ones(1, 3, dtype=torch.float64), tolerance=1e-6, max_iterations=50)
    assert not found.converged.any()
    assert found.iterations[0] == 0
    assert (found.w == 1).all()


def test_what_is_not_finite_at_the_start_is_refused():
    with pytest.raises(ValueError, match="problem 1 is not finite"):
        minimise(
            lambda w: (w.sum(dim=1) / torch.tensor([1.0, 0.0]), w), torch.ones(2, 3), tolerance=1, max_iterations=1
        )
