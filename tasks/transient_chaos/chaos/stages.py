"""The stages of `chaos` and their parameters: one encoder under one mask policy, and how it is watched.

Light on purpose (no torch): the plan imports it. `CHAOS_SWEEP` iterates the layer over a sample of sentences and
measures everything in that one pass; `CHAOS_LONG` goes on from its last states with the map of one vector (README 6).
"""

from dataclasses import dataclass
from typing import Literal

from orchestrator.experiment import Resources, Stage
from orchestrator.limits import AboveZero, Positive, require
from tasks.encoders.params import EncoderParams
from tasks.transient_chaos.chaos.config import MaskMode, Sample, Shown, Sweep, Synchronised, Tangents
from tasks.transient_chaos.chaos.tables import LONG_TABLES, SWEEP_TABLES


@dataclass(frozen=True, kw_only=True)
class _System(Sample, EncoderParams):
    mask_mode: MaskMode = "none"
    """none: padding tokens attend and are attended to, as published. padding: the system is that of the real tokens."""


@dataclass(frozen=True, kw_only=True)
class _Common(Tangents, _System):
    """The parameters that both stages have."""


@dataclass(frozen=True, kw_only=True)
class _Sweep(Sweep, _Common):
    difference_size: AboveZero | None = None
    """The published finite difference beside the tangents: distance of the perturbed copy; None: off."""
    spread_tokens: Literal["real", "all"] = "real"
    """Tokens whose spread is measured under the padding mask; without a mask all are."""


@dataclass(frozen=True, kw_only=True)
class SweepParams(Shown, _Sweep):
    """One pass of a sample of sentences through many layers."""

    def __post_init__(self):
        super().__post_init__()
        size = self.difference_size
        rounded = self.dtype == "float32" and size is not None and size < 1e-2
        require(not rounded, "difference_size", size, "at least 0.01 in float32, which measures rounding below")


@dataclass(frozen=True, kw_only=True)
class _Long(_Common):
    steps: Positive = 100_000
    """Layers after those of the sweep."""
    exponents: Positive = 4
    """Exponents along the synchronised manifold."""
    sentences: Positive = 10
    """Maximum number of sentences: the first that are synchronised."""


@dataclass(frozen=True, kw_only=True)
class LongParams(Synchronised, _Long):
    """Synchronised sentences as one vector each, for very many layers."""

    shown_points: Positive = 2000
    """Maximum number of points of a trajectory: every so many layers one is kept."""


CHAOS_SWEEP = Stage(
    name="chaos_sweep",
    function="tasks.transient_chaos.chaos.sweep:sweep",
    params=SweepParams,
    tables=SWEEP_TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
)
CHAOS_LONG = Stage(
    name="chaos_long",
    function="tasks.transient_chaos.chaos.long:long_run",
    params=LongParams,
    tables=LONG_TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
)
