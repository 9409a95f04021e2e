"""The options of `chaos` and its presets; `paper` is the published setting (README 5 and 7)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from orchestrator.limits import AboveZero, Limited, NotNegative, Positive, Several, require
from orchestrator.options import Ints
from tasks.encoders.options import QUICK_SMALL, EncoderOptions, SeveralInts
from tasks.encoders.params import InitStyle
from tasks.transient_chaos.sentences import Passages

MaskMode = Literal["none", "padding"]
MOST_SHOWN = 16
"""Sentences whose trajectories can be kept: those of the first batch."""


@dataclass(frozen=True, kw_only=True)
class Sample(Passages):
    """Which sentences are iterated."""

    sentence_seed: int = 0
    """Random seed for sampling sentences."""
    legacy_packing: bool = False
    """Cut pairs first come, first served, as published; else the longer text first."""


@dataclass(frozen=True, kw_only=True)
class Tangents(Limited):
    """How growth is measured, along all tokens or along the one vector of synchronised ones."""

    window: Positive = 50
    """Layers over which growth is averaged."""
    qr_every: Positive = 5
    """Layers between two orthonormalisations of the tangents."""
    seed: int = 0
    """Random seed of the first tangents."""
    shown_dimensions: Annotated[Ints, Ge(0)] = (0, 5)
    """Hidden dimensions of the trajectories that are kept."""

    def __post_init__(self):
        super().__post_init__()
        fine = self.window % self.qr_every == 0
        require(fine, "window", self.window, f"a multiple of qr-every, {self.qr_every}")


@dataclass(frozen=True, kw_only=True)
class Sweep(Tangents):
    """What one pass of all sentences measures."""

    sentences: Positive = 1000
    """Number of sentences or pairs."""
    steps: Positive = 1000
    """Number of layers."""
    exponents: NotNegative = 8
    """Lyapunov exponents of the first --spectrum-sentences; the others get the largest one. 0: none."""
    spectrum_sentences: NotNegative = 100
    """Sentences with the whole spectrum."""
    align: Positive = 20
    """Layers after which a tangent that began in a random direction counts as aligned."""
    thresholds: Annotated[Several[float], Gt(0)] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    """Spreads over tokens below which a sentence counts as synchronised."""

    def __post_init__(self):
        super().__post_init__()
        require(self.align % self.qr_every == 0, "align", self.align, f"a multiple of qr-every, {self.qr_every}")
        require(self.window <= self.steps, "window", self.window, f"at most the number of layers, steps {self.steps}")


@dataclass(frozen=True, kw_only=True)
class Shown(Limited):
    """Which states are kept as they are."""

    shown_sentences: Annotated[int, Ge(0), Le(MOST_SHOWN)] = 2
    """Sentences, the first ones, whose trajectories, spreads and attention maps are kept."""
    shown_tokens: Annotated[Ints, Ge(0)] = (0, 1, 2)
    """Tokens of the trajectories."""
    attention_layers: Annotated[Ints, Ge(1)] = (1, 2, 4, 12, 24, 48, 100)
    """Layers whose attention maps are kept."""
    attention_heads: Annotated[Ints, Ge(0)] = (0,)
    """Heads whose attention maps are kept."""


@dataclass(frozen=True, kw_only=True)
class Synchronised(Limited):
    """Which sentences go on as one vector."""

    sync_threshold: AboveZero = 1e-3
    """Spread over tokens below which a sentence goes on as one vector."""


@dataclass(frozen=True, kw_only=True)
class Config(EncoderOptions, Synchronised, Shown, Sweep, Sample):
    """ALBERT as an iterated map: Lyapunov spectrum, chaos length, synchronisation, effective dimension."""

    init_styles: Several[InitStyle] = ("hf_default", "keras")
    """How random weights are drawn: hf_default (normal), keras (truncated normal, the published way), and three ways
    that also re-draw LayerNorm gains: glue_legacy, mlm_legacy, dump_legacy."""
    encoder_seeds: SeveralInts = tuple(range(10))
    """Random seeds of the random encoders."""
    mask_modes: Several[MaskMode] = ("none", "padding")
    """none: padding tokens attend and are attended to, as published. padding: they are masked."""
    legacy_differences: bool = False
    """Also measure the published finite difference, at the distance --difference-size (published: 1, too large)."""
    difference_size: AboveZero = 1.0
    """Distance of the perturbed copy."""
    legacy_spread: bool = False
    """With padding masked, also count the padding in the spread over tokens, as published."""
    long_steps: NotNegative = 0
    """Layers that synchronised sentences go on as one vector each; 0: none. Published: 100000."""
    long_sentences: Positive = 10
    """Maximum number of sentences that go on."""
    long_exponents: Positive = 4
    """Lyapunov exponents along the synchronised manifold."""
    long_window: Positive = 500
    """Layers over which their growth is averaged."""
    precision: Literal["float32", "float64"] = "float32"
    """Precision of weights, states and tangents."""

    def __post_init__(self):
        super().__post_init__()
        self.check_length("length", (self.model,))


PRESETS = {
    "paper": Config(long_steps=100_000),
    # The published comparison of chaos lengths (README 6): single lines, more tokens, fewer layers.
    "chaos_length": Config(text="single", length=128, sentences=100, steps=500, window=100, align=20),
    "quick": Config(
        **QUICK_SMALL,
        corpus="builtin",
        init_styles=("hf_default",),
        encoder_seeds=(0, 1, 2),
        text="single",  # the held-out documentation has few passages that begin with two short sentences
        length=24,
        sentences=24,
        steps=300,
        spectrum_sentences=8,
        exponents=4,
        window=20,
        mask_modes=("none",),  # texts of this length have hardly any padding
        long_steps=2000,
        long_window=100,
        long_sentences=4,
    ),
}
