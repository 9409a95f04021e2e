"""The components, their parameters and the points of the published grids (dslm 1.2), and the points beyond them.

A point is a dict of numbers by name. Spreads of weights are times the square root of their matrix's input width.
`published` says whether the published grid has the point. Plain Python: the plan reads this.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Component = Literal[
    "linear", "relu", "gelu", "layernorm", "dropout", "softmax", "attention", "ffn_relu", "ffn_gelu",
    "attention_block", "residual",
]  # fmt: skip
COMPONENTS: tuple[Component, ...] = get_args(Component)
Point = dict[str, float]
SIZES = ("d", "d_in", "d_out", "dk", "heads", "L")
CORRELATIONS = ("r_x", "r_g")

S3 = (10**-0.5, 1.0, 10**0.5)
R3 = (0.0, 1 / 3, 2 / 3)
R5 = (0.0, 0.2, 0.4, 0.6, 0.8)
D3 = (100, 316, 1000)
L2 = (100, 1000)


def _logspace(low: float, high: float, n: int) -> tuple[float, ...]:
    return tuple(10 ** (low + (high - low) * i / (n - 1)) for i in range(n))


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The axes of one component, and how often it is simulated."""

    axes: Mapping[str, tuple[float, ...]]
    trials: int
    """Published number of trials a point; of components that were not published, ours."""
    published: bool = True
    """Whether the published simulations have this component."""
    beyond: tuple[Mapping[str, tuple[float, ...]], ...] = field(default=())
    """Axes that replace those of the same name in further grids, which nobody published."""


_ELEMENTWISE = {"sigma_x": S3, "r_x": R5, "sigma_g": S3, "r_g": R5, "L": L2}
_BLOCK = {"sigma_x": (1.0,), "r_x": R3, "p": R3, "sigma_g": (1.0,), "r_g": R3}
GRIDS: Mapping[Component, Grid] = {
    "linear": Grid(
        axes={
            "mu": (0.1, 1.0, 10.0), "sigma_x": S3, "r_x": R3, "sigma_w": (0.1, 1.0, 10.0), "sigma_g": S3, "r_g": R3,
            "d_in": D3, "d_out": D3, "L": L2,
        },
        trials=100,
    ),
    "relu": Grid(axes=_ELEMENTWISE, trials=10_000),
    "gelu": Grid(axes=_ELEMENTWISE, trials=100_000),
    "layernorm": Grid(
        axes={
            "mu": (-10.0, -10 / 3, 10 / 3), "sigma_x": S3, "r_x": R5, "sigma_g": S3, "r_g": R5, "d": D3, "L": L2,
        },
        trials=100,
    ),
    "dropout": Grid(
        axes={
            "mu": (-10.0, 0.0, 10.0), "sigma_x": S3, "r_x": R3, "sigma_g": S3, "r_g": R3, "p": R3, "d": D3, "L": L2,
        },
        trials=100,
    ),
    "softmax": Grid(
        axes={
            "sigma_x": _logspace(-2, 0, 5), "r_x": R5, "sigma_g": _logspace(-0.5, 0.5, 5), "r_g": (0.0,),
            "L": (300, 720, 1732, 4161, 10_000),
        },
        trials=10_000,
        beyond=({"sigma_g": (1.0,), "r_g": (1 / 3, 2 / 3)},),
    ),
    "attention": Grid(
        axes={
            "sigma_x": (1.0,), "r_x": R3, "sigma_v": S3, "sigma_qk": (0.1, 0.06**0.5, 0.6), "p": R3, "sigma_g": S3,
            "r_g": R3, "d": D3, "dk": (32, 64, 128, 256), "L": (300, 547, 1000),
        },
        trials=64,
        beyond=(
            {"sigma_x": (0.5, 2.0), "sigma_qk": (0.06**0.5,), "sigma_v": (1.0,), "sigma_g": (1.0,), "d": (316,),
             "dk": (64,), "L": (300,)},
            # What DeepScaleLM draws: scores of variance 1 at r = 0.
            {"sigma_qk": (1.0,), "sigma_v": (1.0,), "sigma_g": (1.0,), "r_x": (0.0, 0.5, 0.8), "r_g": (0.0, 0.5, 0.8),
             "p": (0.0, 0.1), "d": (100, 316), "dk": (64,), "L": (300,)},
        ),
    ),
    "ffn_relu": Grid(axes={**_BLOCK, "d": (100, 316), "L": (100,)}, trials=200, published=False),
    "ffn_gelu": Grid(axes={**_BLOCK, "sigma_x": (0.5, 2.0), "d": (100, 316), "L": (100,)}, trials=200,
                     published=False),
    "attention_block": Grid(
        axes={**_BLOCK, "sigma_qk": (0.6, 1.0), "d": (128, 256), "heads": (2,), "L": (128, 256)},
        trials=128, published=False,
    ),
    "residual": Grid(
        axes={**_BLOCK, "p": (0.1,), "skip": (0.5**0.5,), "d": (100, 316), "L": (100,)}, trials=200,
        published=False,
    ),
}  # fmt: skip

FFN_RATIO = 4
"""Width inside a feed-forward block, in widths of its input."""


def points(
    component: Component, axes: Mapping[str, tuple[float, ...]], *, beyond: bool = True, most: int | None = None
) -> list[tuple[Point, bool]]:
    """The points of a component with whether they are published, without repetition.

    Args:
        component: its name.
        axes: values that replace the grid's, for the axes that the component has.
        beyond: whether to give the points beyond the published grid too.
        most: an evenly spread cut of the grid, if it is larger.
    """
    grid = GRIDS[component]
    own = {name: values for name, values in axes.items() if name in grid.axes}
    found: dict[tuple[float, ...], tuple[Point, bool]] = {}
    variants = [{}, *grid.beyond] if beyond else [{}]
    for variant in variants:
        lists = {**grid.axes, **variant, **own}
        for values in itertools.product(*lists.values()):
            inside = zip(values, grid.axes.values(), strict=True)
            published = grid.published and all(value in axis for value, axis in inside)
            found.setdefault(values, (dict(zip(lists, values, strict=True)), published))
    return _spread(list(found.values()), most)


def _spread(items: list[tuple[Point, bool]], most: int | None) -> list[tuple[Point, bool]]:
    """`most` of the items, in steps of about 0.618 of their number: steps of a whole part would keep to a few axes."""
    n = len(items)
    if most is None or n <= most:
        return items
    step = next(k for k in range(round(n * (5**0.5 - 1) / 2), 2 * n) if math.gcd(k, n) == 1)
    return [items[i] for i in sorted((k * step) % n for k in range(most))]
