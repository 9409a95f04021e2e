"""What the stage `component_moments` takes and writes: its parameters and its tables. Imports no torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.deepscale.component_moments.grids import CORRELATIONS, GRIDS, SIZES, Component, Point
from tasks.encoders.params import require


@dataclass(frozen=True, kw_only=True)
class MomentsParams:
    """Grid points of one component and one shape, and how much they are simulated."""

    component: Component
    """Its name."""
    axes: tuple[str, ...]
    """Names of the numbers of a point."""
    points: tuple[tuple[float, ...], ...]
    """The points."""
    published: tuple[bool, ...]
    """Whether the published grid has each of them."""
    trials: int
    """Trials of a simulation, before a target asks for more."""
    target: float = 0.0
    """Standard error, in variances, below which a simulation ends; 0: one round of trials."""
    most: int = 1
    """Rounds of trials at most."""
    seed: int = 42
    """Seed of all draws."""
    legacy_weights: bool = False
    """One draw of attention weights for all trials of a point, as published."""

    def __post_init__(self):
        require(self.component in GRIDS, "component", self.component, f"one of {', '.join(GRIDS)}")
        names = set(GRIDS[self.component].axes)
        require(set(self.axes) == names, "axes", self.axes, f"{', '.join(sorted(names))}")
        require(bool(self.points) and len(self.points) == len(self.published), "points", len(self.points),
                "one or more, and as many flags")  # fmt: skip
        for point in self.points:
            require(len(point) == len(self.axes), "points", point, f"{len(self.axes)} numbers each")
            check_point(dict(zip(self.axes, point, strict=True)))
        for name in ("trials", "most"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(0 <= self.target < math.inf, "target", self.target, "0 or more")

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
    "sigma_v": "the same of the value matrix",
    "sigma_qk": "the same of query and key matrices",
    "p": "dropout",
    "sigma_g": "standard deviation of the output's gradient",
    "r_g": "correlation of two tokens of the output's gradient",
    "skip": "factor of the residual's skip connection; the branch has sqrt(1 - skip^2)",
    "d_in": "width of the input",
    "d_out": "width of the output",
    "d": "width of input and output",
    "dk": "width of the head",
    "heads": "heads",
    "L": "tokens",
}
QUANTITIES = ("x_mean", "x_var", "x_var_full", "x_cov", "x_cov_features", "g_var", "g_var_full", "g_cov")
MOMENTS = TableSpec(
    schema=pa.schema(
        [
            column("point", pa.string(), "the point's numbers as text; with the component they name it"),
            column(
                "quantity",
                pa.string(),
                "x_mean, x_var, x_cov (two tokens), x_cov_features (two features) of the output; g_var, g_cov of the "
                "input's gradient; _full: the published second form of softmax",
            ),
            column("in_published_grid", pa.bool_(), "whether the published grid has the point"),
            *(column(name, pa.float64(), doc + "; null: the component has none") for name, doc in NUMBERS.items()),
            column("predicted_published", pa.float64(), "published closed form; NaN: nobody published one"),
            column("predicted_exact", pa.float64(), "exact closed form, or the best one known (attention, softmax)"),
            column("measured", pa.float64(), "mean over the simulation's trials"),
            column("standard_error", pa.float64(), "of `measured`, by batch means; NaN of one block"),
            column(
                "bias_published",
                pa.float64(),
                "(measured - predicted_published) / |predicted_published|; where that is 0 in units of the predicted "
                "standard deviation (means) or variance (covariances)",
            ),
            column("bias", pa.float64(), "the same against predicted_exact"),
            column("z_published", pa.float64(), "(measured - predicted_published) / standard error"),
            column(
                "z",
                pa.float64(),
                "(measured - predicted_exact) / standard error; both z count rounding of float32 to the error",
            ),
            column("legacy_error_published", pa.float64(), "published error metric (a share) of the published form"),
            column("legacy_error", pa.float64(), "published error metric (a share) of the exact form"),
            column("trials_done", pa.int64(), "trials of the simulation"),
            column("blocks", pa.int64(), "blocks of trials, of which the standard error is"),
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
            column("grid_points", pa.int64(), "grid points"),
            column("simulations", pa.int64(), "simulations that they share"),
            column("trials_total", pa.int64(), "trials of all simulations together"),
            column("numbers_drawn", pa.float64(), "numbers in inputs and gradients that were drawn, about"),
            column("simulation_seconds", pa.float64(), "seconds in simulations"),
        ]
    ),
    key=("shape", "first"),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"moments": MOMENTS, "moment_costs": COSTS}

MOMENTS_STAGE = Stage(
    name="component_moments",
    function="tasks.deepscale.component_moments.stage:moments",
    params=MomentsParams,
    tables=TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
    warm=True,
)
