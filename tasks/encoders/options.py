"""The options that say which encoders an experiment works on; its Config inherits them."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.options import Ints
from tasks.encoders.params import RANGED_STYLES, SCRATCH, SMALL, Encoder, InitStyle


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """One architecture, with weights or without."""

    model: str = "albert/albert-large-v2"
    """ALBERT checkpoint: a hub name or a directory; scratch: random weights of the --width given."""
    pickled_weights: bool = False
    """Also read pytorch_model.bin where a checkpoint has no safetensors; only tensors are taken out of it."""
    tokenizer: str | None = None
    """A hub name, a directory, or builtin; None: the model's own."""
    width: int | None = None
    """Hidden size of a model that is no checkpoint: 768, 1024, 4096 are ALBERT base, large, xxlarge; 2048 with 16 heads
    xlarge."""
    heads: int | None = None
    """Its attention heads; None: one per 64 of width."""
    intermediate: int | None = None
    """Its feed-forward size; None: four times the width."""
    embedding: int | None = None
    """Its embedding size; None: 128."""
    init_range: float | None = None
    """Standard deviation of hf_default and keras weights; None: the model's own, 0.02. With 0.02 * sqrt(1024/width) a
    layer of another width has the gain of albert-large's."""

    def check_model(self, own: tuple[str, ...] = (SCRATCH,)) -> None:
        """Refuse sizes for a checkpoint, and a model of the project's `own` without them.

        Raises:
            ValueError: with the option's name and the remedy.
        """
        sizes = ("width", "heads", "intermediate", "embedding")
        for name in sizes:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}: give at least 1")
        if self.model in own:
            if self.width is None:
                raise ValueError(f"the model {self.model} needs a --width")
            if self.tokenizer is None:
                raise ValueError(f"the model {self.model} needs a --tokenizer (a directory, a hub name, or builtin)")
        elif any(getattr(self, name) for name in sizes):
            raise ValueError(
                f"the sizes of {self.model} are its own: --width and the like go with --model {' or '.join(own)}"
            )
        if self.init_range is not None and self.init_range <= 0:
            raise ValueError(f"init-range is {self.init_range}: give more than 0")


@dataclass(frozen=True, kw_only=True)
class PretrainOptions:
    """How the project pretrains the model small, where it is asked for."""

    pretrain_corpus: str | None = None
    """Text for the model small: builtin, wikipedia, a directory or a file; None: the experiment's own corpus."""
    pretrain_steps: int = 3000
    """Training steps of the model small."""
    pretrain_batch: int = 32
    """Blocks of text a step."""
    pretrain_depth: int = 4
    """Layers of the model small while it is pretrained."""
    pretrain_length: int = 32
    """Tokens a block that the model small is pretrained on, and its number of positions."""
    pretrain_seed: int = 0
    """Seed of the model small."""

    def check_pretraining(self) -> None:
        """Refuse counts below 1.

        Raises:
            ValueError: with the option's name.
        """
        for name in ("pretrain_steps", "pretrain_batch", "pretrain_depth", "pretrain_length"):
            at_least(self, name, 1)

    def check_length(self, name: str, models: Sequence[str]) -> None:
        """Refuse texts longer than the model small, if it is one of `models`, has positions.

        Of a checkpoint the job says it.

        Raises:
            ValueError: with the name of the option that says how long they are.
        """
        length, option = getattr(self, name), name.replace("_", "-")
        if SMALL in models and length > self.pretrain_length:
            raise ValueError(
                f"{option} is {length}, the model small has the {self.pretrain_length} positions that it is pretrained "
                f"with: give a smaller --{option} or a larger --pretrain-length"
            )


@dataclass(frozen=True, kw_only=True)
class EncoderOptions(PretrainOptions, ModelOptions):
    """Pretrained and random encoders of one architecture."""

    model: str = "albert/albert-large-v2"
    """ALBERT checkpoint: a hub name or a directory; scratch: random weights of the --width given; small: an ALBERT of
    that --width which the project pretrains itself, a job of the sweep."""
    encoders: tuple[Encoder, ...] = ("pretrained", "random")
    """Where the encoders' weights come from."""
    init_styles: tuple[InitStyle, ...] = ("hf_default",)
    """How random weights are drawn: hf_default (normal), keras (truncated normal, the published dynamics' way), and
    three published ways that also re-draw LayerNorm gains: glue_legacy, mlm_legacy, dump_legacy."""
    encoder_seeds: Ints = (0,)
    """Seeds of random encoders."""

    def __post_init__(self):
        for name in ("encoders", "init_styles", "encoder_seeds"):
            distinct(self, name)
        self.check_pretraining()
        self.check_model((SCRATCH, SMALL))
        if self.model == SCRATCH and "pretrained" in self.encoders:
            raise ValueError(
                "the model scratch has random weights only: give --encoders random, or --model small, which the "
                "project pretrains"
            )
        # A ranged style among others keeps its range; alone, the others would ignore it in silence.
        if self.init_range is not None and "random" in self.encoders and not set(self.init_styles) & {*RANGED_STYLES}:
            raise ValueError(f"init-range goes with the init styles {' and '.join(RANGED_STYLES)}")


QUICK_SMALL: Mapping[str, Any] = types.MappingProxyType(
    {
        "model": SMALL,
        "tokenizer": "builtin",
        "width": 128,
        "heads": 4,
        "init_range": 0.0566,  # 0.02 * sqrt(1024 / 128): the gain of albert-large at this width
        "pretrain_steps": 800,
        "pretrain_batch": 16,
        "pretrain_depth": 2,
        "pretrain_length": 32,
    }
)
"""The model of the quick presets: with one results directory their sweeps pretrain it once."""


def distinct(options: Any, name: str) -> None:
    """Refuse an option without a value, or with one twice.

    Raises:
        ValueError: with the option's name.
    """
    values = getattr(options, name)
    option = name.replace("_", "-")
    if not values:
        raise ValueError(f"{option} is empty: give at least one")
    if len(set(values)) != len(values):
        raise ValueError(f"{option} names something twice: {values}")


def at_least(options: Any, name: str, least: float) -> None:
    """Refuse an option (unless it is None) below `least`.

    Raises:
        ValueError: with the option's name and value.
    """
    value = getattr(options, name)
    if value is not None and value < least:
        raise ValueError(f"{name.replace('_', '-')} is {value}: give at least {least}")
