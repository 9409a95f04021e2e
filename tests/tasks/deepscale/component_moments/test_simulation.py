"""Simulation: exact scaling, streams of each point's own, budgets, targets, and agreement with the closed forms."""

import numpy as np
import pytest
import torch

from tasks.deepscale.component_moments import simulation
from tasks.deepscale.component_moments.canonical import Simulation, uses
from tasks.deepscale.component_moments.components import Draws, draws, run_block
from tasks.deepscale.component_moments.config import GRIDS, Effort, points
from tasks.deepscale.component_moments.moments import predict
from tasks.deepscale.component_moments.simulation import simulate

CPU = torch.device("cpu")
SMALL = {"d": (8,), "d_in": (8,), "d_out": (6,), "dk": (4,), "L": (5,)}


def one_use(component, **values):
    """The simulations of a small point with the first value of every axis but these."""
    sizes = {name: value[0] for name, value in SMALL.items()}
    point = {name: float(values.get(name, sizes.get(name, axis[0]))) for name, axis in GRIDS[component].axes.items()}
    return uses(component, point)


def run(simulations, trials, *, budget=1 << 30, target=0.0, most=1, seed=42):
    return simulate(simulations, trials, Effort(target=target, most=most, seed=seed), device=CPU, budget=budget)


def values(measured):
    return {name: estimate.value for name, estimate in measured.estimates().items()}


@pytest.mark.parametrize("component", GRIDS)
def test_homogeneity_is_exact(component):
    """One draw at a grid point and at the point that stands for it give outputs that differ by the factors."""
    strange = {"sigma_x": 2.5, "sigma_g": 0.3, "sigma_v": 1.7, "sigma_w": 0.4, "r_x": 0.3, "r_g": 0.6}
    if component == "layernorm":
        strange["mu"] = 0.7
    sizes = {name: value[0] for name, value in SMALL.items()}
    axes = GRIDS[component].axes
    point = {name: float(strange.get(name, sizes.get(name, axis[1 % len(axis)]))) for name, axis in axes.items()}
    for use in uses(component, point):
        own = Simulation(component, use.simulation.side, tuple(sorted(point.items())))
        y, dx = block(own)
        scaled_y, scaled_dx = block(use.simulation)
        for found, expected, scale in ((scaled_y, y, use.x_scale), (scaled_dx, dx, use.g_scale)):
            if expected is not None and found is not None:
                torch.testing.assert_close(found * scale, expected, rtol=1e-8, atol=1e-10)


def block(one):
    generator = torch.Generator().manual_seed(3)
    drawn = Draws(generators=[generator], weight_generators=None, trials=2, device=CPU, dtype=torch.float64)
    return run_block([one], drawn)


def test_neither_memory_nor_neighbours_change_a_number(monkeypatch):
    several = [one_use("attention", r_x=r, p=p)[0].simulation for r in (0.0, 0.5) for p in (0.0, 0.2)]
    together = run(several, trials=64)
    monkeypatch.setattr(simulation, "CPU_BYTES", 1)  # one at a time
    for at, one in enumerate(reversed(several)):
        assert values(run([one], trials=64)[0]) == pytest.approx(values(together[-1 - at]), rel=1e-5, abs=1e-7)
    other_seed = values(run([several[1]], trials=64, seed=43)[0])
    assert abs(other_seed["x_var"] / values(together[1])["x_var"] - 1) > 1e-4


def test_a_target_asks_for_more_trials_of_the_points_that_need_them():
    several = [one_use("softmax", sigma_x=sigma)[0].simulation for sigma in (0.01, 1.0)]
    once = run(several, trials=64)
    assert [known.trials for known in once] == [64, 64]
    easy, hard = run(several, trials=64, target=0.05, most=50)
    assert 64 < hard.trials <= 64 * 50
    assert hard.precise(0.05)
    assert not once[1].precise(0.05)
    limited = run(several, trials=64, target=1e-6, most=3)
    assert [known.trials for known in limited] == [192, 192]
    # Rounds go on where the first ended: the same first blocks.
    np.testing.assert_array_equal(np.stack(limited[0].blocks[: len(once[0].blocks)]), np.stack(once[0].blocks))
    assert easy.trials <= hard.trials


def test_standard_errors_are_those_of_repeated_runs():
    one = one_use("linear", mu=1.0, r_x=0.4)[0].simulation
    runs = [run([one], trials=320, seed=seed)[0].estimates() for seed in range(40)]
    for name in ("x_var", "x_cov"):
        spread = np.std([known[name].value for known in runs], ddof=1)
        assert np.mean([known[name].error for known in runs]) == pytest.approx(spread, rel=0.35)


def test_one_draw_of_weights_is_shared_as_published():
    one = one_use("attention", r_x=0.5)[0].simulation

    def outputs(shared, block):
        drawn = draws([one], Effort(seed=0, legacy_weights=shared), block=block, trials=2, device=CPU)
        return drawn.weight(8, 4, torch.ones(1))

    assert torch.equal(outputs(True, 0), outputs(True, 1))
    assert outputs(True, 0).shape[1] == 1
    assert not torch.equal(outputs(False, 0), outputs(False, 1))
    fresh = outputs(False, 0)
    assert not torch.equal(fresh[:, 0], fresh[:, 1])


def test_a_trial_that_does_not_fit_is_refused_with_both_numbers():
    one = one_use("attention")[0].simulation
    with pytest.raises(
        ValueError, match=r"trial\(s\) of attention both .* bytes of 100 that may be used; give the job"
    ):
        run([one], trials=4, budget=100)


EXACT = {"linear": 4.5, "relu": 4.5, "gelu": 4.5, "dropout": 4.5, "layernorm": 4.5}
"""Largest |z|: of about 300 values that follow Student's distribution with 31 degrees of freedom."""


@pytest.mark.parametrize("component", EXACT)
def test_exact_forms_are_exact(component):
    axes = {"d": (12.0,), "d_in": (12.0,), "d_out": (20.0,), "L": (10.0,)}
    grid = [point for point, _ in points(component, axes, beyond=False, most=20)]
    predicted = predict(component, grid)
    found = {}
    for at, point in enumerate(grid):
        for use in uses(component, point):
            for name, estimate in run([use.simulation], trials=2000, seed=at)[0].estimates().items():
                scale = use.x_scale if name.startswith("x") else use.g_scale
                factor = scale if name == "x_mean" else scale**2
                found[at, name] = (estimate.value * factor, estimate.error * factor)
    zs = []
    for name, forms in predicted.items():
        for at in range(len(grid)):
            value, error = found[at, name]
            zs.append((value - forms.exact[at]) / np.hypot(error, 2.0**-22 * np.sqrt(1e-30 + forms.exact[at] ** 2)))
    zs = np.array(zs)
    rounded = {"layernorm": ("x_mean",)}.get(component, ())
    assert not rounded or max(abs(found[at, "x_mean"][0]) for at in range(len(grid))) < 1e-6
    zs = zs[len(grid) * len(rounded) :]  # the mean of a LayerNorm is rounding and nothing else
    assert np.abs(zs).max() < EXACT[component]
    assert 0.7 < np.sqrt(np.mean(zs**2)) < 1.4


@pytest.mark.parametrize(
    ("component", "axes", "trials", "tolerance"),
    [
        ("softmax", {"L": (300.0,), "sigma_x": (0.5, 1.0), "r_g": (0.0, 0.5)}, 4000, 0.02),
        ("attention", {"d": (64.0,), "dk": (16.0,), "L": (128.0,), "sigma_qk": (0.6,), "p": (0.1,), "sigma_v": (1.0,),
                       "sigma_g": (1.0,), "r_x": (0.0, 0.5)}, 128, 0.1),
        ("ffn_relu", {"d": (64.0,), "L": (8.0,), "p": (0.1,)}, 160, 0.1),
        ("ffn_gelu", {"d": (64.0,), "L": (8.0,), "p": (0.1,), "sigma_x": (1.0,)}, 160, 0.1),
        ("attention_block", {"d": (64.0,), "L": (128.0,), "p": (0.1,), "sigma_qk": (0.6,)}, 64, 0.15),
        ("residual", {"d": (64.0,), "L": (8.0,)}, 160, 0.1),
    ],
)  # fmt: skip
def test_forms_of_leading_order_are_near(component, axes, trials, tolerance):
    """Within a few standard errors and the order that the form leaves out."""
    grid = [point for point, _ in points(component, axes, beyond=False, most=6)]
    predicted = predict(component, grid)
    used = [uses(component, point)[0] for point in grid]
    measured = run([use.simulation for use in used], trials=trials)
    for name in ("x_var", "x_cov", "g_var", "g_cov"):
        if name not in predicted:
            continue
        var = predicted["x_var" if name.startswith("x") else "g_var"].exact
        for at, (use, known) in enumerate(zip(used, measured, strict=True)):
            factor = (use.x_scale if name.startswith("x") else use.g_scale) ** 2
            value, error = (number * factor for number in known.estimates()[name])
            assert error < tolerance * var[at]
            assert abs(value - predicted[name].exact[at]) < 4 * error + 0.02 * var[at], (name, grid[at])


def test_the_published_gradient_of_attention_is_not_near():
    """Without the path through query and key most of the gradient is missing where r_g = 0 and scores vary by 1."""
    axes = {"d": (64.0,), "dk": (16.0,), "L": (128.0,), "sigma_qk": (1.0,), "p": (0.1,), "r_x": (0.0,), "r_g": (0.0,)}
    grid = [point for point, _ in points("attention", axes, beyond=False, most=1)]
    forms = predict("attention", grid)["g_var"]
    use = uses("attention", grid[0])[0]
    value, error = (number * use.g_scale**2 for number in run([use.simulation], trials=64)[0].estimates()["g_var"])
    assert value > 5 * forms.published[0]
    assert value == pytest.approx(forms.exact[0], abs=4 * error + 0.05 * forms.exact[0])
