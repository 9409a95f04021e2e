"""The options of `component_moments` and its presets; `paper` is the published grid (dslm 1)."""

import math
from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.deepscale.component_moments.grids import COMPONENTS, Component
from tasks.encoders.options import at_least, distinct


@dataclass(frozen=True, kw_only=True)
class Config:
    """Closed forms of what each part of a Transformer does to moments, against simulation over a grid."""

    components: tuple[Component, ...] = COMPONENTS
    """What to simulate. The blocks (ffn_relu, ffn_gelu, attention_block) and residual were not published."""
    points: int | None = None
    """An evenly spread cut of each component's grid; None: all points."""
    trials: int | None = None
    """Trials a simulation; None: the published number of each component (64 to 100,000)."""
    share: float = 1.0
    """Share of the published number of trials, if --trials is not given; never fewer than 64."""
    target: float = 0.003
    """Standard error at which a simulation ends, as a share of the variance; 0: after the first round of trials."""
    most: int = 8
    """Rounds of trials at most."""
    beyond: bool = True
    """Also points that the published grids leave out: correlated gradients of softmax, other spreads of attention."""
    correlations: tuple[float, ...] = ()
    """Correlations of tokens and of gradients instead of the grids'; empty: the grids'."""
    dropouts: tuple[float, ...] = ()
    """Dropout instead of the grids'."""
    widths: Ints = ()
    """Widths of input and output instead of the grids'; not of a head."""
    tokens: Ints = ()
    """Numbers of tokens instead of the grids'."""
    seed: int = 42
    """Seed of all draws."""
    legacy_weights: bool = False
    """One draw of attention weights for all trials of a point, as published: errors then do not fall with trials."""

    def __post_init__(self):
        distinct(self, "components")
        for name in ("correlations", "dropouts", "widths", "tokens"):
            if getattr(self, name):
                distinct(self, name)
        for name in ("points", "trials", "most"):
            at_least(self, name, 1)
        for name in ("correlations", "dropouts"):
            if bad := [value for value in getattr(self, name) if not 0 <= value < 1]:
                raise ValueError(f"{name} has {bad[0]}: give values of at least 0 and less than 1")
        if bad := [size for size in self.tokens if size < 2]:
            raise ValueError(f"tokens has {bad[0]}: give 2 or more")
        least = 6 if "layernorm" in self.components else 2
        if bad := [size for size in self.widths if size < least]:
            raise ValueError(
                f"widths has {bad[0]}: give {least} or more"
                + (", since gradients through a narrower layernorm have no moments" if least > 2 else "")
            )
        if odd := [size for size in self.widths if size % 2 and "attention_block" in self.components]:
            raise ValueError(f"widths has {odd[0]}: attention_block has two heads; give even widths")
        if not 0 < self.share < math.inf:
            raise ValueError(f"share is {self.share}: give more than 0")
        if not 0 <= self.target < math.inf:
            raise ValueError(f"target is {self.target}: give 0 or more")

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """Axes that replace those of the grids."""
        found: dict[str, tuple[float, ...]] = {}
        for names, values in (
            (("r_x", "r_g"), self.correlations),
            (("p",), self.dropouts),
            (("d", "d_in", "d_out"), self.widths),
            (("L",), self.tokens),
        ):
            if values:
                found |= {name: tuple(float(value) for value in values) for name in names}
        return found


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
