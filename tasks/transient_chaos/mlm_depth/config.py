"""The options of `mlm_depth` and its presets; `paper` is the published setting (transient_chaos 4)."""

from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.encoders.options import QUICK_SMALL, EncoderOptions, at_least, distinct
from tasks.transient_chaos.mlm_depth.params import Readout


@dataclass(frozen=True, kw_only=True)
class Config(EncoderOptions):
    """Masked-LM accuracy and perplexity against the number of layers of a frozen encoder; all depths share one pass."""

    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin (Python's own documentation), a directory of text, or a text file."""
    train_limit: int | None = 15_000
    """Train on at most so many blocks. The published 9,500 lines are about 15,000 blocks of 128."""
    test_limit: int | None = 800
    """Evaluate on at most so many blocks."""
    length: int = 128
    """Tokens a block, special ones included."""
    depths: Ints = tuple(range(1, 25))
    """Numbers of layers."""
    readouts: tuple[Readout, ...] = ("trained", "new", "zero_shot")
    """Of the pretrained encoder. trained: the checkpoint's own, trained further; new: drawn, then trained; zero_shot:
    the checkpoint's own as it is."""
    random_readouts: tuple[Readout, ...] = ("new",)
    """Of random encoders: new, and zero_shot (a drawn one as it is)."""
    seeds: Ints = (42, 43, 44)
    """Seeds of new readouts; they share the pass of the encoder. The published runs all had 42."""
    data_seeds: Ints = (42,)
    """Seeds of the order of the blocks and of the masks; each costs a pass of its own."""
    epochs: int = 3
    """Passes over the training blocks."""
    batch_size: int = 32
    """Blocks a training step. Published: 32 times the number of GPUs."""
    learning_rate: float = 2e-3
    """Highest learning rate of readouts."""
    warmup: int = 100
    """Steps of warm-up; then linearly to zero."""
    mask_ratio: float = 0.15
    """Share of a block's tokens that the masker may choose."""
    legacy_masking: bool = False
    """Draw the masks in the published order, from one stream that runs on through all batches."""
    legacy_head_eps: bool = False
    """LayerNorm eps 1e-5 in the readout, as in the published library."""
    legacy_readout_init: bool = False
    """Draw new readouts as published: that overwrites the encoder's own word embeddings too."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("depths", "readouts", "random_readouts", "seeds", "data_seeds"):
            distinct(self, name)
        if min(self.depths) < 1:
            raise ValueError("depths start at 1 layer")
        for name in ("train_limit", "test_limit", "length", "epochs", "batch_size"):
            at_least(self, name, 1)
        at_least(self, "warmup", 0)
        if self.learning_rate <= 0:
            raise ValueError(f"learning-rate is {self.learning_rate}: give more than 0")
        if not 0 < self.mask_ratio < 1:
            raise ValueError(f"mask-ratio is {self.mask_ratio}: give a share between 0 and 1")
        if "trained" in self.random_readouts:
            raise ValueError("random-readouts has trained: a random encoder has no readout to train further; give new")
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
