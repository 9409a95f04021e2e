"""What the stage `component_moments` takes and writes: its parameters and its tables. Imports no torch."""

import math
from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
from annotated_types import MinLen

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import Limited, Positive, require
from tasks.deepscale.component_moments.config import CORRELATIONS, GRIDS, SIZES, Component, Effort, Point


@dataclass(frozen=True, kw_only=True)
class _Points(Limited):
    component: Component
    """Component."""
    axes: tuple[str, ...]
    """Names of the numbers of a point."""
    points: Annotated[tuple[tuple[float, ...], ...], MinLen(1)]
    """The points."""
    published: tuple[bool, ...]
    """Whether the published grid has each of them."""
    trials: Positive
    """Trials of a simulation, before a target asks for more."""


@dataclass(frozen=True, kw_only=True)
class MomentsParams(Effort, _Points):
    """Grid points of one component and one shape, and how much they are simulated."""

    def __post_init__(self):
        super().__post_init__()
        require(self.component in GRIDS, "component", self.component, f"one of {', '.join(GRIDS)}")
        names = set(GRIDS[self.component].axes)
        require(set(self.axes) == names, "axes", self.axes, ", ".join(sorted(names)))
        require(len(self.points) == len(self.published), "published", self.published, "a flag for each point")
        for point in self.points:
            require(len(point) == len(self.axes), "points", point, f"{len(self.axes)} numbers each")
            check_point(dict(zip(self.axes, point, strict=True)))

    @property
    def named_points(self) -> list[Point]:
        """The points as dicts."""
        return [dict(zip(self.axes, point, strict=True)) for point in self.points]


def check_point(point: Point) -> None:
    """Refuse what no closed form holds for.

    Raises:
        ValueError: a number is not finite, a correlation or dropout outside [0, 1), a size no whole number of 2 or
            more, or a spread of 0 or less; with its name.
    """
    for name, value in point.items():
        require(math.isfinite(value), name, value, "a finite number")
        if name in CORRELATIONS or name == "p":
            require(0 <= value < 1, name, value, "at least 0 and less than 1")
        elif name in SIZES:
            least = 1 if name == "heads" else 2
            require(value >= least and value == int(value), name, value, f"a whole number of {least} or more")
        elif name == "skip":
            require(0 <= value <= 1, name, value, "0 to 1")
        elif name != "mu":
            require(value > 0, name, value, "more than 0")


NUMBERS = {
    "mu": "mean of the input",
    "sigma_x": "standard deviation of the input",
    "r_x": "correlation of two tokens of the input",
    "sigma_w": "standard deviation of a weight, times the square root of the matrix's input width",
    "sigma_v": "standard deviation of a value weight, times the square root of the width",
    "sigma_qk": "standard deviation of a query or key weight, times the square root of the width",
    "p": "dropout rate",
    "sigma_g": "standard deviation of the output's gradient",
    "r_g": "correlation of two tokens of the output's gradient",
    "skip": "factor of the residual's skip connection; the branch has sqrt(1 - skip^2)",
    "d_in": "width of the input",
    "d_out": "width of the output",
    "d": "width of input and output",
    "dk": "width of the head",
    "heads": "number of attention heads",
    "L": "number of tokens",
}
QUANTITIES = ("x_mean", "x_var", "x_var_full", "x_cov", "x_cov_features", "g_var", "g_var_full", "g_cov")
QUANTITY = (
    "x_mean, x_var, x_cov (two tokens), x_cov_features (two features) of the output; g_var, g_cov of the input's "
    "gradient; _full: the published second form of softmax"
)
BIAS = (
    "(measured - {0}) / |{0}|; where 0 is predicted, in units of the predicted standard deviation (means) or variance "
    "(covariances)"
)
Z = "(measured - {0}) / standard error, which includes rounding of float32"
FORMS = {"published": "_published", "exact": ""}
"""Closed forms, and the ending of the columns that hold against each."""
MOMENTS = TableSpec(
    schema=pa.schema(
        [
            column("point", pa.string(), "the point's numbers as text; unique within a component"),
            column("quantity", pa.string(), QUANTITY),
            column("in_published_grid", pa.bool_(), "whether the published grid has the point"),
            *(column(name, pa.float64(), doc + "; null: the component has none") for name, doc in NUMBERS.items()),
            column("predicted_published", pa.float64(), "published closed form; NaN: nobody published one"),
            column("predicted_exact", pa.float64(), "exact closed form, or the best one known (attention, softmax)"),
            column("measured", pa.float64(), "mean over the simulation's trials"),
            column("standard_error", pa.float64(), "standard error of `measured`, by batch means; NaN with one block"),
            column("bias_published", pa.float64(), BIAS.format("predicted_published")),
            column("bias", pa.float64(), BIAS.format("predicted_exact")),
            column("z_published", pa.float64(), Z.format("predicted_published")),
            column("z", pa.float64(), Z.format("predicted_exact")),
            column("legacy_error_published", pa.float64(), "published error metric (a share) of the published form"),
            column("legacy_error", pa.float64(), "published error metric (a share) of the exact form"),
            column("trials_done", pa.int64(), "trials of the point's simulation"),
            column("blocks", pa.int64(), "blocks of trials, whose means give the standard error"),
        ]
    ),
    key=("point", "quantity"),
    doc="Each moment of each grid point: predicted and measured.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("shape", pa.string(), "sizes of the points"),
            column("first", pa.string(), "the first point"),
            column("grid_points", pa.int64(), "number of grid points"),
            column("simulations", pa.int64(), "number of simulations that they share"),
            column("trials_total", pa.int64(), "trials of all simulations together"),
            column("numbers_drawn", pa.float64(), "approximate count of random numbers in inputs and gradients"),
            column("simulation_seconds", pa.float64(), "seconds spent simulating"),
        ]
    ),
    key=("shape", "first"),
    doc="What each job cost.",
)
MOMENTS_STAGE = Stage(
    name="component_moments",
    function="tasks.deepscale.component_moments.moments:moments",
    params=MomentsParams,
    tables={"moments": MOMENTS, "moment_costs": COSTS},
    resources=Resources(num_cpus=1, num_gpus=1),
    warm=True,
)
