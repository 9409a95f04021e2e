"""The jobs of `component_moments`: points of one shape, half a minute of work, in the order of their simulations."""

import itertools
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from orchestrator.experiment import Job
from orchestrator.limits import shared
from tasks.deepscale.component_moments.canonical import Simulation, sizes_of, trial_seconds, uses
from tasks.deepscale.component_moments.config import GRIDS, Component, Config, Point, points
from tasks.deepscale.component_moments.stages import MOMENTS_STAGE, MomentsParams

SECONDS = 30.0
"""Aim for jobs of so long on one CPU core; a GPU takes a second."""
LEAST_TRIALS = 64
"""Trials of a simulation at least, where a share of a component's own number is asked for."""


class _Planned(NamedTuple):
    shape: tuple[tuple[str, int], ...]
    simulation: Simulation
    """The forward one, where a point has two."""
    point: Point
    published: bool


def plan(config: Config) -> Iterator[Job]:
    """The jobs of a config."""
    for component in config.components:
        trials = config.trials or max(LEAST_TRIALS, round(config.share * GRIDS[component].trials))
        found = [
            _Planned(tuple(sizes_of(point).items()), uses(component, point)[0].simulation, point, published)
            for point, published in points(component, config.axes, beyond=config.beyond, most=config.points)
        ]
        found.sort(key=lambda planned: (planned.shape, planned.simulation.point))
        for _, group in itertools.groupby(found, key=attrgetter("shape")):
            for chunk in _chunks(component, group, trials):
                yield _job(config, component, chunk, trials)


def _chunks(component: Component, group: Iterator[_Planned], trials: int) -> Iterator[list[_Planned]]:
    """Points of one shape, those of a simulation always together."""
    chunk: list[_Planned] = []
    seconds = 0.0
    for _, several in itertools.groupby(group, key=attrgetter("simulation")):
        own = list(several)
        cost = trials * trial_seconds(component, dict(own[0].shape))
        if chunk and seconds + cost > SECONDS:
            yield chunk
            chunk, seconds = [], 0.0
        chunk += own
        seconds += cost
    if chunk:
        yield chunk


def _job(config: Config, component: Component, chunk: Sequence[_Planned], trials: int) -> Job:
    axes = tuple(chunk[0].point)
    effort = {**shared(config, MomentsParams), "legacy_weights": config.legacy_weights and component == "attention"}
    params = MomentsParams(
        component=component,
        axes=axes,
        points=tuple(tuple(planned.point[name] for name in axes) for planned in chunk),
        published=tuple(planned.published for planned in chunk),
        trials=trials,
        **effort,
    )
    return Job(stage=MOMENTS_STAGE, params=params)
