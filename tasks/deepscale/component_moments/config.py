"""The components, the points of the published grids (README 1) and beyond them, the options and presets.

A point is a dict of numbers by name. Spreads of weights are times the square root of their matrix's input width.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from annotated_types import Ge

from orchestrator.limits import AboveZero, Distinct, Limited, Positive, Probability, Several, ZeroOrMore, require
from orchestrator.options import Ints

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


Shares = Annotated[tuple[Probability, ...], Distinct()]


@dataclass(frozen=True, kw_only=True)
class Effort(Limited):
    """How much is simulated, and from which draws."""

    target: ZeroOrMore = 0.003
    """Standard error at which a simulation ends, as a share of the variance; 0: after the first round of trials."""
    most: Positive = 8
    """Maximum number of rounds of trials."""
    seed: int = 42
    """Random seed of all draws."""
    legacy_weights: bool = False
    """One draw of attention weights for all trials of a point, as published: errors then do not fall with trials."""


@dataclass(frozen=True, kw_only=True)
class Config(Effort):
    """Closed forms of what each part of a Transformer does to moments, against simulation over a grid."""

    components: Several[Component] = COMPONENTS
    """What to simulate. The blocks (ffn_relu, ffn_gelu, attention_block) and residual were not published."""
    points: Positive | None = None
    """Maximum number of points of a component, spread evenly over its grid; None: all points."""
    trials: Positive | None = None
    """Trials of a simulation; None: the published number of each component (64 to 100,000)."""
    share: AboveZero = 1.0
    """Share of the published number of trials, if --trials is not given; never fewer than 64."""
    beyond: bool = True
    """Also points that the published grids leave out: correlated gradients of softmax, other spreads of attention."""
    correlations: Shares = ()
    """Correlations of tokens and of gradients instead of the grids'; empty: the grids'."""
    dropouts: Shares = ()
    """Dropout rates instead of the grids'."""
    widths: Annotated[Ints, Ge(2), Distinct()] = ()
    """Widths of input and output instead of the grids'; not of a head."""
    tokens: Annotated[Ints, Ge(2), Distinct()] = ()
    """Numbers of tokens instead of the grids'."""

    def __post_init__(self):
        super().__post_init__()
        narrow = [width for width in self.widths if width < 6 and "layernorm" in self.components]
        remedy = "at least 6: gradients through a narrower layernorm have no moments"
        require(not narrow, "widths", narrow, remedy)
        odd = [width for width in self.widths if width % 2 and "attention_block" in self.components]
        require(not odd, "widths", odd, "even widths: attention_block has two heads")

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """Axes that replace those of the grids."""
        own = {
            ("r_x", "r_g"): self.correlations,
            ("p",): self.dropouts,
            ("d", "d_in", "d_out"): self.widths,
            ("L",): self.tokens,
        }
        return {name: tuple(map(float, values)) for names, values in own.items() if values for name in names}


PRESETS = {
    "paper": Config(),
    "legacy": Config(
        components=("linear", "relu", "gelu", "layernorm", "dropout", "softmax", "attention"),
        target=0.0,
        most=1,
        beyond=False,
        legacy_weights=True,
    ),
    "quick": Config(points=40, share=0.25, target=0.0, most=1, widths=(100,), tokens=(100, 300)),
}
