"""The options of `chaos` and its presets; `paper` is the published setting (transient_chaos 5 and 7)."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.options import Ints
from tasks.encoders.options import QUICK_SMALL, EncoderOptions, at_least, distinct
from tasks.encoders.params import InitStyle
from tasks.transient_chaos.chaos.params import MaskMode


@dataclass(frozen=True, kw_only=True)
class Config(EncoderOptions):
    """ALBERT as an iterated map: Lyapunov spectrum, chaos length, synchronisation, effective dimension."""

    init_styles: tuple[InitStyle, ...] = ("hf_default", "keras")
    """How random weights are drawn: hf_default (normal), keras (truncated normal, the published way), and three ways
    that also re-draw LayerNorm gains: glue_legacy, mlm_legacy, dump_legacy."""
    encoder_seeds: Ints = tuple(range(10))
    """Seeds of random encoders."""
    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin, a directory of text files, or one file."""
    text: Literal["pairs", "single"] = "pairs"
    """pairs: the first two sentences of a passage. single: the beginning of a passage."""
    part: Literal["train", "test"] = "test"
    """Part of the corpus that the sentences are drawn from; the model small is pretrained on train."""
    length: int = 32
    """Tokens of each sentence or pair; longer ones are cut, shorter ones padded."""
    sentences: int = 1000
    """Sentences or pairs."""
    sentence_seed: int = 0
    """Of the draw of sentences."""
    legacy_packing: bool = False
    """Cut pairs first come, first served, as published; else the longer text first."""
    mask_modes: tuple[MaskMode, ...] = ("none", "padding")
    """none: padding attends and is attended, as published; padding: it is masked. These are two systems."""
    steps: int = 1000
    """Layers."""
    exponents: int = 8
    """Lyapunov exponents of the first --spectrum-sentences; the others get the largest one. 0: none."""
    spectrum_sentences: int = 100
    """Sentences with the whole spectrum."""
    window: int = 50
    """Layers over which growth is averaged."""
    qr_every: int = 5
    """Layers between two orthonormalisations of the tangents."""
    align: int = 20
    """Layers after which a tangent counts as aligned."""
    legacy_differences: bool = False
    """Also the published finite difference, at the distance --difference-size (published: 1, which saturates)."""
    difference_size: float = 1.0
    """Distance of the perturbed copy."""
    thresholds: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    """Spreads over tokens below which a sentence counts as synchronised."""
    legacy_spread: bool = False
    """Under the padding mask also count the padding in the spread over tokens, as published."""
    shown_sentences: int = 2
    """Sentences whose trajectories, spreads and attention maps are kept."""
    shown_tokens: Ints = (0, 1, 2)
    """Tokens of the trajectories."""
    shown_dimensions: Ints = (0, 5)
    """Hidden dimensions of the trajectories."""
    attention_layers: Ints = (1, 2, 4, 12, 24, 48, 100)
    """Layers whose attention maps are kept."""
    attention_heads: Ints = (0,)
    """Heads whose attention maps are kept."""
    long_steps: int = 0
    """Layers that synchronised sentences go on as one vector each; 0: none. Published: 100000."""
    long_sentences: int = 10
    """Sentences that go on, at most."""
    long_exponents: int = 4
    """Exponents along the synchronised manifold."""
    long_window: int = 500
    """Layers over which their growth is averaged."""
    sync_threshold: float = 1e-3
    """Spread over tokens below which a sentence goes on as one vector."""
    precision: Literal["float32", "float64"] = "float32"
    """Of weights, states and tangents."""
    seed: int = 0
    """Of the first tangents."""

    def __post_init__(self):
        super().__post_init__()
        distinct(self, "mask_modes")
        distinct(self, "thresholds")
        for name in ("length", "sentences", "steps", "window", "qr_every", "align", "long_window"):
            at_least(self, name, 1)
        for name in ("long_sentences", "long_exponents"):
            at_least(self, name, 1)
        for name in ("exponents", "spectrum_sentences", "shown_sentences", "long_steps"):
            at_least(self, name, 0)
        if self.window > self.steps:
            raise ValueError(f"window is {self.window}: give at most the {self.steps} layers of --steps")
        self.check_length("length", (self.model,))


PRESETS = {
    "paper": Config(long_steps=100_000),
    # The published comparison of chaos lengths (transient_chaos 6): single lines, more tokens, fewer layers.
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
