"""The options that say which encoders an experiment works on; its Config inherits them."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import MinLen

from orchestrator.limits import AboveZero, Distinct, Limited, Positive, Several, require
from orchestrator.options import Ints
from tasks.encoders.params import RANGED_STYLES, SCRATCH, SMALL, Encoder, EncoderSizes, InitStyle

SeveralInts = Annotated[Ints, MinLen(1), Distinct()]


@dataclass(frozen=True, kw_only=True)
class ModelOptions(EncoderSizes):
    """One architecture, with weights or without."""

    model: str = "albert/albert-large-v2"
    """ALBERT checkpoint: a hub name or a directory; scratch: random weights of the --width given."""
    pickled_weights: bool = False
    """Also read pytorch_model.bin where a checkpoint has no safetensors; only tensors are taken out of it."""
    tokenizer: str | None = None
    """Tokenizer: a hub name, a directory, or builtin; None: the model's own."""
    init_range: AboveZero | None = None
    """Standard deviation of hf_default and keras weights; None: the model's own, 0.02. With 0.02 * sqrt(1024/width) a
    layer of another width has the gain of albert-large's."""

    def check_model(self, own: tuple[str, ...] = (SCRATCH,)) -> None:
        """Refuse sizes for a checkpoint, and a model of the project's `own` without them.

        Raises:
            ValueError: with the option's name and the remedy.
        """
        sizes = ("width", "heads", "intermediate", "embedding")
        if self.model in own:
            require(self.width is not None, "width", self.width, f"--width with --model {self.model}")
            remedy = f"a directory, a hub name, or builtin with --model {self.model}"
            require(self.tokenizer is not None, "tokenizer", self.tokenizer, remedy)
        for name in sizes:
            value = getattr(self, name)
            fine = self.model in own or value is None
            require(fine, name, value, f"none: sizes go with --model {' or '.join(own)}, {self.model} has its own")


@dataclass(frozen=True, kw_only=True)
class PretrainOptions(Limited):
    """How the project pretrains the model small, where it is asked for."""

    pretrain_corpus: str | None = None
    """Pretraining corpus of the model small: builtin, wikipedia, a directory or a file; None: the experiment's own."""
    pretrain_steps: Positive = 3000
    """Training steps in pretraining the model small."""
    pretrain_batch: Positive = 32
    """Batch size in pretraining the model small, in blocks of text."""
    pretrain_depth: Positive = 4
    """Number of layers of the model small in pretraining."""
    pretrain_length: Positive = 32
    """Block length in tokens in pretraining, and number of positions of the model small."""
    pretrain_seed: int = 0
    """Random seed for pretraining the model small."""

    def check_length(self, name: str, models: Sequence[str]) -> None:
        """Refuse texts longer than the model small, if it is one of `models`, has positions.

        Of a checkpoint the job says it.

        Raises:
            ValueError: with the name of the option that says how long they are.
        """
        length = getattr(self, name)
        remedy = (
            f"at most {self.pretrain_length}, the positions that the model small is pretrained with, or a larger "
            "--pretrain-length"
        )
        require(SMALL not in models or length <= self.pretrain_length, name, length, remedy)


@dataclass(frozen=True, kw_only=True)
class EncoderOptions(PretrainOptions, ModelOptions):
    """Pretrained and random encoders of one architecture."""

    model: str = "albert/albert-large-v2"
    """ALBERT checkpoint: a hub name or a directory; scratch: random weights of the --width given; small: an ALBERT of
    that --width which the project pretrains itself, a job of the sweep."""
    encoders: Several[Encoder] = ("pretrained", "random")
    """Where the encoders' weights come from."""
    init_styles: Several[InitStyle] = ("hf_default",)
    """How random weights are drawn: hf_default (normal), keras (truncated normal, the published dynamics' way), and
    three published ways that also re-draw LayerNorm gains: glue_legacy, mlm_legacy, dump_legacy."""
    encoder_seeds: SeveralInts = (0,)
    """Random seeds of the random encoders."""

    def __post_init__(self):
        super().__post_init__()
        self.check_model((SCRATCH, SMALL))
        remedy = "random alone: the model scratch has random weights only (small is one that the project pretrains)"
        require(self.model != SCRATCH or "pretrained" not in self.encoders, "encoders", self.encoders, remedy)
        # A ranged style among others keeps its range; alone, the others would ignore it in silence.
        fine = self.init_range is None or "random" not in self.encoders or {*self.init_styles} & {*RANGED_STYLES}
        remedy = f"none, or the init style {' or '.join(RANGED_STYLES)}"
        require(bool(fine), "init_range", self.init_range, remedy)


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
