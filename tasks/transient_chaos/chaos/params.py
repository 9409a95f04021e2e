"""What the two stages of `chaos` take: one encoder under one mask policy, and how it is watched.

Light on purpose (no torch): the plan imports it. `CHAOS_SWEEP` iterates the layer over a sample of sentences and
measures everything in that one pass (transient_chaos 11.3); `CHAOS_LONG` goes on from its last states with the map of
one vector (transient_chaos 6).
"""

from dataclasses import dataclass
from typing import Literal

from orchestrator.experiment import Resources, Stage
from tasks.encoders.params import EncoderParams, require
from tasks.transient_chaos.chaos.tables import LONG_TABLES, SWEEP_TABLES

MOST_SHOWN = 16
"""Sentences whose trajectories can be kept: those of the first batch."""
MaskMode = Literal["none", "padding"]


@dataclass(frozen=True, kw_only=True)
class _Common(EncoderParams):
    """What both stages share."""

    corpus: str
    """Where the sentences come from."""
    text: Literal["pairs", "single"]
    """Pairs of sentences, or beginnings of passages."""
    length: int
    """T, tokens of each, special ones and padding included."""
    part: Literal["train", "test"] = "test"
    """Part of the corpus."""
    sentence_seed: int = 0
    """Of the draw of sentences."""
    legacy_packing: bool = False
    """Whether pairs are cut as published."""
    mask_mode: MaskMode = "none"
    """`none`: padding attends and is attended, as published. `padding`: the system is that of the real tokens."""
    window: int = 50
    """Layers over which growth is averaged, tau."""
    qr_every: int = 5
    """Layers between two orthonormalisations of the tangents."""
    seed: int = 0
    """Of the first tangents."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("length", "window", "qr_every"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        fine = self.window % self.qr_every == 0
        require(fine, "window", self.window, f"a multiple of qr_every, {self.qr_every}")


@dataclass(frozen=True, kw_only=True)
class SweepParams(_Common):
    """One pass of a sample of sentences through many layers."""

    sentences: int
    """N."""
    steps: int = 1000
    """Layers."""
    exponents: int = 8
    """K, Lyapunov exponents of the first `spectrum_sentences`; the others get the largest one. 0: none for any."""
    spectrum_sentences: int = 100
    """Sentences with K exponents."""
    align: int = 20
    """Layers after which a tangent that began in a random direction counts as aligned."""
    difference_size: float | None = None
    """The published finite difference beside the tangents: distance of the perturbed copy; None: off."""
    thresholds: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    """Spreads over tokens below which a sentence counts as synchronised."""
    spread_tokens: Literal["real", "all"] = "real"
    """Tokens whose spread is measured under the padding mask; without a mask all are."""
    shown_sentences: int = 2
    """Sentences, the first ones, whose trajectories, spreads and attention maps are kept."""
    shown_tokens: tuple[int, ...] = (0, 1, 2)
    """Tokens of their trajectories."""
    shown_dimensions: tuple[int, ...] = (0, 5)
    """Hidden dimensions of their trajectories."""
    attention_layers: tuple[int, ...] = (1, 2, 4, 12, 24, 48, 100)
    """Layers whose attention maps are kept."""
    attention_heads: tuple[int, ...] = (0,)
    """Heads whose attention maps are kept."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("sentences", "steps", "align"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("exponents", "spectrum_sentences", "shown_sentences"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        fine = self.align % self.qr_every == 0
        require(fine, "align", self.align, f"a multiple of qr_every, {self.qr_every}")
        require(self.shown_sentences <= MOST_SHOWN, "shown_sentences", self.shown_sentences, f"at most {MOST_SHOWN}")
        size = self.difference_size
        require(size is None or size > 0, "difference_size", size, "a distance above 0, or None")
        rounded = self.dtype == "float32" and size is not None and size < 1e-2
        require(not rounded, "difference_size", size, "1e-2 or more in float32, which measures rounding below")
        require(all(t > 0 for t in self.thresholds), "thresholds", self.thresholds, "numbers above 0")
        for name in ("shown_tokens", "shown_dimensions", "attention_heads"):
            require(all(i >= 0 for i in getattr(self, name)), name, getattr(self, name), "numbers from 0")
        require(all(t >= 1 for t in self.attention_layers), "attention_layers", self.attention_layers, "layers from 1")


@dataclass(frozen=True, kw_only=True)
class LongParams(_Common):
    """Synchronised sentences as one vector each, for very many layers."""

    steps: int = 100_000
    """Layers after those of the sweep."""
    exponents: int = 4
    """K, exponents along the synchronised manifold."""
    sentences: int = 10
    """At most so many sentences, the first that are synchronised."""
    sync_threshold: float = 1e-3
    """Spread over tokens below which a sentence counts as synchronised."""
    shown_dimensions: tuple[int, ...] = (0, 5)
    """Hidden dimensions of their trajectories."""
    shown_points: int = 2000
    """Points of a trajectory at most: every so many layers one is kept."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("steps", "exponents", "sentences", "shown_points"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.sync_threshold > 0, "sync_threshold", self.sync_threshold, "more than 0")
        require(all(i >= 0 for i in self.shown_dimensions), "shown_dimensions", self.shown_dimensions, "from 0")


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
