"""The options of `mlm_depth` and its presets; `paper` is the published setting (README 4)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from orchestrator.limits import AboveZero, Limited, NotNegative, Positive, Several, require
from tasks.encoders.options import QUICK_SMALL, EncoderOptions, SeveralInts

Readout = Literal["trained", "new", "zero_shot"]


@dataclass(frozen=True, kw_only=True)
class Blocks(Limited):
    """What is read, at which depths, by how many readouts."""

    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin (Python's own documentation), a directory of text, or a text file."""
    length: Positive = 128
    """Length of a block in tokens, special tokens included."""
    depths: Annotated[SeveralInts, Ge(1)] = tuple(range(1, 25))
    """Numbers of layers."""
    seeds: SeveralInts = (42, 43, 44)
    """Random seeds of new readouts, which share the pass of the encoder; the checkpoint's own readout has none, and
    stands under the first of these. The published runs all had 42."""

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "depths", tuple(sorted(self.depths)))  # in another order they are the same work


@dataclass(frozen=True, kw_only=True)
class Optimisation(Limited):
    """How readouts are trained."""

    batch_size: Positive = 32
    """Batch size in blocks; the last batch of an epoch may be smaller. Published: 32 times the number of GPUs."""
    epochs: Positive = 3
    """Training epochs."""
    learning_rate: AboveZero = 2e-3
    """Peak learning rate of the readouts."""
    warmup: NotNegative = 100
    """Steps of linear warm-up; then linear decay to zero."""


@dataclass(frozen=True, kw_only=True)
class Masks(Limited):
    """What is masked, of how many blocks, and which published defects are kept."""

    mask_ratio: Annotated[float, Gt(0), Lt(1)] = 0.15
    """Maximum share of masked tokens in a block."""
    legacy_masking: bool = False
    """Draw the masks in the published order, from one stream that runs on through all batches."""
    legacy_head_eps: bool = False
    """LayerNorm epsilon 1e-5 in the readout, as in the published library; else the model's own, 1e-12."""
    legacy_readout_init: bool = False
    """Draw new readouts as published: that overwrites the encoder's own word embeddings too."""
    train_limit: Positive | None = 15_000
    """Maximum number of training blocks. The published 9,500 lines are about 15,000 blocks of 128."""
    test_limit: Positive | None = 800
    """Maximum number of test blocks."""


@dataclass(frozen=True, kw_only=True)
class Config(EncoderOptions, Masks, Optimisation, Blocks):
    """Masked-LM accuracy and perplexity against the number of layers of a frozen encoder; all depths share one pass."""

    readouts: Several[Readout] = ("trained", "new", "zero_shot")
    """Readouts of the pretrained encoder. trained: the checkpoint's own, trained further; new: with random weights,
    then trained; zero_shot: the checkpoint's own as it is."""
    random_readouts: Several[Readout] = ("new",)
    """Readouts of random encoders: new, and zero_shot (random weights as they are)."""
    data_seeds: SeveralInts = (42,)
    """Random seeds for shuffling and masking blocks; each costs a pass of its own."""

    def __post_init__(self):
        super().__post_init__()
        remedy = "new or zero_shot: a random encoder has no readout to train further"
        require("trained" not in self.random_readouts, "random_readouts", "trained", remedy)
        self.check_length("length", (self.model,))


PRESETS = {
    "paper": Config(),
    "quick": Config(
        **QUICK_SMALL,
        corpus="builtin",
        length=32,
        depths=tuple(range(1, 13)),
        seeds=(0, 1, 2),
        data_seeds=(0,),
        encoder_seeds=(0, 1, 2),
        train_limit=1500,
        test_limit=80,
        epochs=2,
        learning_rate=1e-2,  # a hundred steps instead of the published 1,400
        warmup=10,
    ),
}
