"""Grids, what shares a simulation, jobs, and options that are refused."""

import dataclasses

import pytest

from tasks.deepscale.component_moments.canonical import uses
from tasks.deepscale.component_moments.config import COMPONENTS, PRESETS, Config, points
from tasks.deepscale.component_moments.plan import plan
from tasks.deepscale.component_moments.reduce import PUBLISHED
from tasks.deepscale.component_moments.stages import check_point

PUBLISHED_POINTS = {
    "linear": 13122, "relu": 450, "gelu": 450, "layernorm": 4050, "dropout": 4374, "softmax": 625, "attention": 26244,
}  # fmt: skip


def test_grids_have_the_published_numbers_of_points():
    assert {name: len(points(name, {}, beyond=False)) for name in PUBLISHED} == PUBLISHED_POINTS
    for name in PUBLISHED:
        assert sum(published for _, published in points(name, {})) == PUBLISHED_POINTS[name]


def test_scaling_leaves_the_simulations_that_can_be_counted():
    def simulations(name):
        grid = points(name, {}, beyond=False)
        return len({use.simulation for point, _ in grid for use in uses(name, point)})

    assert simulations("attention") == 2916
    assert simulations("linear") == 7 * 3 * 18 + 3 * 18  # mu / sigma_x and r_x forward, r_g backward
    assert simulations("relu") == 25 * 2


def test_a_cut_is_spread_over_every_axis():
    cut = points("attention", {}, beyond=False, most=81)
    assert len(cut) == 81
    for name, count in {"r_x": 3, "sigma_v": 3, "sigma_qk": 3, "p": 3, "r_g": 3, "d": 3, "dk": 4, "L": 3}.items():
        values = [point[name] for point, _ in cut]
        each = [values.count(value) for value in set(values)]
        assert len(each) == count, name
        assert min(each) >= 81 / count / 2, name


def test_jobs_hold_every_point_once_and_points_that_share_a_simulation_together():
    config = dataclasses.replace(PRESETS["quick"], components=COMPONENTS, points=60)
    jobs = list(plan(config))
    assert len({job.id for job in jobs}) == len(jobs)
    for name in COMPONENTS:
        own = [job.params for job in jobs if job.params.component == name]
        planned = [point for params in own for point in params.points]
        expected = points(name, config.axes, most=60)
        assert sorted(planned) == sorted(tuple(point.values()) for point, _ in expected)
        seen = [{uses(name, point)[0].simulation for point in params.named_points} for params in own]
        assert len(set.union(*seen)) == sum(map(len, seen))


def test_axes_of_the_options_replace_those_of_the_grids():
    config = Config(components=("dropout",), correlations=(0.9,), dropouts=(0.1,), widths=(32,), tokens=(16,), points=5)
    for job in plan(config):
        for point in job.params.named_points:
            assert [point[name] for name in ("r_x", "r_g", "p", "d", "L")] == [0.9, 0.9, 0.1, 32, 16]
        assert not any(job.params.published)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": ()}, "components is empty"),
        ({"components": ("relu", "relu")}, "components has relu twice: give each value once"),
        ({"correlations": (1.0,)}, "correlations is 1.0: give at least 0 and less than 1"),
        ({"dropouts": (-0.1,)}, "dropouts is -0.1"),
        ({"dropouts": (float("nan"),)}, "dropouts is nan"),
        ({"tokens": (1,)}, "tokens is 1: give at least 2"),
        ({"widths": (4,)}, "widths is 4: give at least 6: gradients through a narrower layernorm"),
        ({"widths": (1,), "components": ("linear",)}, "widths is 1: give at least 2"),
        ({"widths": (33,)}, "widths is 33: give even widths: attention_block has two heads"),
        ({"points": 0}, "points is 0: give at least 1"),
        ({"trials": 0}, "trials is 0"),
        ({"share": float("inf")}, "share is inf"),
        ({"target": float("nan")}, "target is nan: give at least 0"),
    ],
)
def test_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r_x": 1.0}, "r-x is 1.0: give at least 0 and less than 1"),
        ({"p": 1.0}, "p is 1.0"),
        ({"L": 1.0}, "L is 1.0: give a whole number of 2 or more"),
        ({"d": 2.5}, "d is 2.5"),
        ({"sigma_x": 0.0}, "sigma-x is 0.0: give more than 0"),
        ({"mu": float("inf")}, "mu is inf: give a finite number"),
    ],
)
def test_points_are_refused(change, message):
    point = {"mu": 0.0, "sigma_x": 1.0, "r_x": 0.5, "sigma_g": 1.0, "r_g": 0.5, "p": 0.1, "d": 8.0, "L": 4.0}
    check_point(point)
    with pytest.raises(ValueError, match=message):
        check_point({**point, **change})


def test_an_unknown_component_is_refused():
    good = next(iter(plan(PRESETS["quick"]))).params
    with pytest.raises(ValueError, match="component is 'linaer': give one of linear, relu"):
        dataclasses.replace(good, component="linaer")
