"""All windows against NumPy's least squares of their states; invariances; exact and degenerate cases.

Dimensions: N examples, L layers, H features, C curves, S starts, W lengths.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import layer_sums
from metrics.layer_sums import add_states, empty_sums, growing_scatters
from metrics.least_squares import SOLVERS
from metrics.readout import solve_windows, window_errors, window_outputs

LENGTHS = (1, 2, 3, 6)
STARTS = (0, 1, 3)


def states(seed, n, layers=9, width=5):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(layers, n, width)).cumsum(0) + 3 * rng.normal(size=width))


def shares(seed, n):
    share = torch.from_numpy(np.random.default_rng(seed).random(n))
    return torch.stack([1 - share, share], dim=1)


def targets(seed=0, lengths=LENGTHS):
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=(2, n, 2))) for n in lengths]


def solve(x, weights, curves=None, starts=STARTS, block=64, **options):
    sums = empty_sums(0, x.shape[0], x.shape[2], 2)
    for a in range(0, x.shape[1], block):
        add_states(sums, x[:, a : a + block], weights[a : a + block])
    return solve_windows(sums, starts, curves or targets(), **options)


def least_squares(x, weights, curve, start):
    """NumPy's solution [K, F], its rank, and the outputs' squared errors, summed."""
    length = curve.shape[1]
    rows = torch.cat([x[start : start + length], torch.ones(length, x.shape[1], 1, dtype=x.dtype)], dim=2)
    aims = torch.einsum("nc,clk->lnk", weights, curve)
    z, y = rows.flatten(0, 1).numpy(), aims.flatten(0, 1).numpy()
    solution, _, rank, _ = np.linalg.lstsq(z, y, rcond=None)
    return solution.T, rank, ((z @ solution - y) ** 2).sum()


def check_all(x, weights, solutions, curves, atol):
    for s, start in enumerate(solutions.starts):
        for w, curve in enumerate(curves):
            expected, rank, _ = least_squares(x, weights, curve, start)
            np.testing.assert_allclose(solutions.weights_SWKF[s, w], expected, rtol=0, atol=atol)
            assert int(solutions.rank_SW[s, w]) == rank


@pytest.mark.parametrize("work_bytes", [1, 400, 64 << 20])  # one, two and all scatters at a time
def test_every_window_is_numpys_least_squares(monkeypatch, work_bytes):
    monkeypatch.setattr(layer_sums, "WORK_BYTES", work_bytes)
    x, weights, curves = states(0, 50), shares(1, 50), targets()
    solutions = solve(x, weights, curves, block=17)
    check_all(x, weights, solutions, curves, atol=1e-11)
    assert set(solutions.solver_SW.flatten().tolist()) == {0}


def test_scatters_grow_to_those_of_the_windows():
    x = states(2, 20)
    sums = empty_sums(0, 9, 5, 2)
    add_states(sums, x, shares(0, 20))
    [(_, grown)] = growing_scatters(sums, 2, 6)
    for n in range(1, 7):
        rows = x[2 : 2 + n].flatten(0, 1)
        np.testing.assert_allclose(grown[n - 1], (rows - rows.mean(0)).T @ (rows - rows.mean(0)), atol=1e-10)


def test_min_norm_is_numpys_on_well_conditioned_windows_too():
    x, weights, curves = states(3, 40), shares(3, 40), targets()
    solutions = solve(x, weights, curves, max_condition=0)
    check_all(x, weights, solutions, curves, atol=1e-11)
    assert set(solutions.solver_SW.flatten().tolist()) == {SOLVERS.index("eigen")}


def test_a_constant_first_layer_alone_gives_the_min_norm_solution():
    x, weights, curves = states(4, 40), shares(4, 40), targets()
    x[0] = x[0, 0]
    solutions = solve(x, weights, curves)
    check_all(x, weights, solutions, curves, atol=1e-10)
    assert int(solutions.rank_SW[0, 0]) == 1
    assert float(solutions.condition_SW[0, 0]) == float("inf")


def test_fewer_examples_than_features_give_the_min_norm_solution():
    x, weights = states(5, 4, width=12), shares(5, 4)
    curves = targets()
    solutions = solve(x, weights, curves)
    check_all(x, weights, solutions, curves, atol=1e-9)
    assert solutions.rank_SW[:, 0].tolist() == [4, 4, 4]


def test_what_a_layernorm_leaves_constant_keeps_to_cholesky_and_to_min_norm():
    gain, bias = torch.rand(6, dtype=torch.float64) + 0.5, torch.randn(6, dtype=torch.float64)
    x = torch.nn.functional.layer_norm(states(6, 60, width=6), (6,), gain, bias, 1e-12)
    weights, curves = shares(6, 60), targets()
    solutions = solve(x, weights, curves)
    check_all(x, weights, solutions, curves, atol=1e-10)
    assert set(solutions.solver_SW.flatten().tolist()) == {SOLVERS.index("deflated")}
    rounded = solve(x.float(), weights, curves, resolution=2.4e-7)  # rounding must not pass for a direction
    assert set(rounded.rank_SW.flatten().tolist()) == {6}
    np.testing.assert_allclose(rounded.weights_SWKF, solutions.weights_SWKF, atol=1e-5)


def test_states_that_differ_by_rounding_alone_tell_nothing():
    x = torch.ones(9, 40, 5) * torch.randn(5) + 1e-8 * torch.randn(9, 40, 5)
    solutions = solve(x, shares(0, 40), resolution=2.4e-7)
    assert set(solutions.rank_SW.flatten().tolist()) == {1}
    outputs = window_outputs(solutions.weights_SWKF[0, 3], x[:6])
    assert float((outputs - outputs.mean((0, 1))).abs().max()) < 1e-6


def test_an_exactly_linear_target_is_written_exactly():
    """Features that hold time and label can write any curve that is linear in both."""
    n, weights = 30, shares(7, 30)
    time = torch.arange(9, dtype=torch.float64)[:, None].expand(9, n)
    x = torch.stack([time, weights[:, 1].expand(9, n), time * weights[:, 1], torch.randn(9, n).double()], dim=2)
    slope = torch.tensor([[[1.0, 2.0], [0.5, -1.0]]], dtype=torch.float64)
    curves = [
        slope.transpose(0, 1) * torch.arange(m, dtype=torch.float64)[None, :, None] + 1 + slope.transpose(0, 1)
        for m in LENGTHS
    ]
    solutions = solve(x, weights, curves)
    errors = window_errors(solutions, curves, 0, x, weights)
    assert float(errors.max()) < 1e-20
    outputs = window_outputs(solutions.weights_SWKF[1, 3], x[1:7])
    torch.testing.assert_close(outputs, torch.einsum("nc,clk->nlk", weights, curves[3]))


def test_errors_are_those_of_stored_outputs_and_come_in_any_blocks():
    x, weights, curves = states(8, 40), shares(8, 40), targets()
    solutions = solve(x, weights, curves)
    dev, dev_weights = states(9, 11), shares(9, 11)
    errors = window_errors(solutions, curves, 0, dev, dev_weights)
    for s, start in enumerate(STARTS):
        for w, curve in enumerate(curves):
            aims = torch.einsum("nc,clk->nlk", dev_weights, curve)
            outputs = window_outputs(solutions.weights_SWKF[s, w], dev[start : start + curve.shape[1]])
            expected = (outputs - aims).square().sum((1, 2)) / aims.square().sum((1, 2))
            torch.testing.assert_close(errors[s, w], expected, rtol=1e-12, atol=0)
    parts = [window_errors(solutions, curves, 0, dev[:, a:b], dev_weights[a:b]) for a, b in ((0, 4), (4, 11))]
    torch.testing.assert_close(torch.cat(parts, dim=2), errors, rtol=1e-12, atol=0)


def test_a_target_of_zero_has_no_error():
    x, weights = states(0, 20), shares(0, 20)
    curves = [torch.zeros(2, 2, 2, dtype=torch.float64)]
    errors = window_errors(solve(x, weights, curves), curves, 0, x, weights)
    assert bool(errors.isnan().all())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_errors_do_not_change_under_invertible_affine_maps_of_the_features(seed, scale, shift):
    x, weights, curves = states(seed, 40), shares(seed, 40), targets(seed)
    dev, dev_weights = states(seed + 1, 7), shares(seed + 1, 7)
    rng = np.random.default_rng(seed)
    turn = torch.from_numpy(np.linalg.qr(rng.normal(size=(5, 5)))[0] * rng.uniform(0.1, 10, 5) * scale)
    before = window_errors(solve(x, weights, curves), curves, 0, dev, dev_weights)
    after = window_errors(solve(x @ turn + shift, weights, curves), curves, 0, dev @ turn + shift, dev_weights)
    torch.testing.assert_close(before, after, rtol=1e-6, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 50))
def test_the_order_of_the_examples_does_not_matter(seed, block):
    x, weights = states(seed, 50), shares(seed, 50)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(50))
    one, other = solve(x, weights), solve(x[:, order], weights[order], block=block)
    torch.testing.assert_close(one.weights_SWKF, other.weights_SWKF, rtol=1e-7, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_a_longer_window_of_the_same_curve_misses_no_less_in_all(seed):
    """More equations for the same unknowns: the least sum of squares cannot fall."""
    x, weights = states(seed, 25), shares(seed, 25)
    curve = targets(seed, (6,))[0]
    curves = [curve[:, :n] for n in LENGTHS]
    solutions = solve(x, weights, curves)
    for s, start in enumerate(STARTS):
        sums = []
        for w, part in enumerate(curves):
            outputs = window_outputs(solutions.weights_SWKF[s, w], x[start : start + part.shape[1]])
            sums.append(float((outputs - torch.einsum("nc,clk->nlk", weights, part)).square().sum()))
            assert sums[-1] == pytest.approx(least_squares(x, weights, part, start)[2], rel=1e-6, abs=1e-18)
        assert all(a <= b * (1 + 1e-9) + 1e-12 for a, b in pairwise(sums))


def test_bad_input_is_named():
    x, weights = states(0, 20), shares(0, 20)
    with pytest.raises(ValueError, match="hold no examples"):
        solve_windows(empty_sums(0, 9, 5, 2), STARTS, targets())
    with pytest.raises(ValueError, match="windows from 0 to 9 leave the layers 0 to 8"):
        solve(x, weights, starts=(0, 4))
    with pytest.raises(ValueError, match="ascending"):
        solve(x, weights, targets(0, (3, 2)))
    with pytest.raises(ValueError, match="do not fit"):
        add_states(empty_sums(0, 8, 5, 2), x, weights)
    x[3, 2, 1] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        solve(x, weights)
