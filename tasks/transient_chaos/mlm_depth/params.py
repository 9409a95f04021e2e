"""What the stage `mlm_frozen` takes and writes: its parameters, its tables, the stage itself. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.encoders.params import EncoderParams, require

Readout = Literal["trained", "new", "zero_shot"]


@dataclass(frozen=True, kw_only=True)
class FrozenParams(EncoderParams):
    """One encoder with frozen weights, and a readout for each depth, kind and seed (transient_chaos 4)."""

    corpus: str
    """Name of the corpus."""
    length: int = 128
    """Tokens a block, special ones included."""
    depths: tuple[int, ...]
    """Numbers of layers, ascending."""
    readouts: tuple[Readout, ...]
    """trained: the checkpoint's own, trained further. new: drawn, then trained. zero_shot: the checkpoint's own as it
    is; of random encoders, which have none, a drawn one as it is."""
    seeds: tuple[int, ...]
    """Seeds of new readouts. One that begins at the checkpoint's weights has no randomness of its own, and is trained
    once; its rows stand under the first of these."""
    data_seed: int = 42
    """Seed of the order of the blocks and of the masks, which all encoders, depths and readouts see alike."""
    batch_size: int = 32
    """Blocks a training step; the last step of an epoch may have fewer."""
    epochs: int = 3
    """Passes over the training part."""
    learning_rate: float = 2e-3
    """Highest learning rate; it rises linearly over `warmup` steps and falls linearly to zero."""
    warmup: int = 100
    """Steps of warm-up."""
    weight_decay: float = 0.001
    """Decoupled, not on biases and LayerNorm gains."""
    clip: float = 1.0
    """Largest gradient norm of a readout; 0: off."""
    mask_ratio: float = 0.15
    """Share of a block's tokens that the masker may choose (see `tasks.data.masking`)."""
    legacy_masking: bool = False
    """Draw the masks in the published order from one stream that runs on through all batches."""
    legacy_head_eps: bool = False
    """LayerNorm eps 1e-5 in the readout, as in the published library; else the configuration's, 1e-12."""
    legacy_readout_init: bool = False
    """Draw new readouts as published: that overwrites the encoder's own word embeddings too."""
    train_limit: int | None = None
    """Training blocks that the blocks job chose; None: all."""
    test_limit: int | None = None
    """Test blocks that the blocks job chose; None: all."""
    curve_points: int = 50
    """Training-curve points at most."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("length", "batch_size", "epochs"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("warmup", "weight_decay", "clip", "curve_points"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "more than 0")
        require(0 < self.mask_ratio < 1, "mask_ratio", self.mask_ratio, "more than 0 and less than 1")
        ascending = all(a < b for a, b in pairwise(self.depths))
        require(bool(self.depths) and ascending and self.depths[0] >= 1, "depths", self.depths, "ascending from 1")
        for name in ("readouts", "seeds"):
            values = getattr(self, name)
            require(bool(values) and len(set(values)) == len(values), name, values, "at least one, each once")
        pretrained = self.encoder == "pretrained"
        require(pretrained or "trained" not in self.readouts, "readouts", self.readouts, "no trained one if random")
        if self.legacy_readout_init:  # each seed overwrites the word embeddings, so it is an encoder of its own
            alone = self.readouts == ("new",) and len(self.seeds) == 1
            require(alone, "legacy_readout_init", True, "the readout new alone, and one seed a job")


_RUN = (
    column("readout", pa.string(), "trained: the checkpoint's, trained further; new: drawn, trained; zero_shot: as is"),
    column("depth", pa.int64(), "number of layers"),
    column("seed", pa.int64(), "seed of a new readout; the others do not depend on it, and stand under one seed"),
)
SCORES = TableSpec(
    schema=pa.schema(
        [
            *_RUN,
            column(
                "metric",
                pa.string(),
                "accuracy (mean over blocks of right/masked, published), accuracy_micro (right/masked over all), loss "
                "(nats a masked token), perplexity (exp of it), perplexity_batch_means (exp of the mean of the "
                "batches' means, published)",
            ),
            column("value", pa.float64(), "value on the test part; NaN where a state or a readout was not finite"),
        ]
    ),
    key=("readout", "depth", "seed", "metric"),
    doc="How well masked tokens are named from the states of each depth.",
)
CURVES = TableSpec(
    schema=pa.schema(
        [
            *_RUN,
            column("step", pa.int64(), "training steps done"),
            column("epoch", pa.float64(), "training steps done over steps an epoch"),
            column("loss", pa.float64(), "mean training loss of the steps since the previous point, nats"),
            column("learning_rate", pa.float64(), "learning rate of the last of these steps"),
        ]
    ),
    key=("readout", "depth", "seed", "step"),
    doc="Training curves.",
)
BASELINES = TableSpec(
    schema=pa.schema(
        [
            column(
                "metric",
                pa.string(),
                "guess_accuracy, guess_accuracy_micro: of always naming the training part's most frequent token; "
                "unigram_loss (nats), unigram_perplexity: of naming tokens with the training part's frequencies",
            ),
            column("value", pa.float64(), "value on the masked tokens of the test part"),
        ]
    ),
    key=("metric",),
    doc="What can be had without looking at the context.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_train", pa.int64(), "training blocks"),
            column("n_test", pa.int64(), "test blocks"),
            column("n_masked", pa.int64(), "masked tokens of the test part"),
            column("n_empty", pa.int64(), "test blocks without a masked token; means over blocks leave them out"),
            column("n_heads", pa.int64(), "readouts trained: depths times kinds times seeds"),
            column("max_depth", pa.int64(), "largest depth"),
            column("layer_passes", pa.int64(), "forward layer applications to one block, counted while running"),
            column("encoder_seconds", pa.float64(), "seconds in the encoder"),
            column("head_seconds", pa.float64(), "seconds in training and evaluating readouts"),
        ]
    ),
    key=("max_depth", "n_heads"),
    doc="What each job cost.",
)
NONFINITE = TableSpec(
    schema=pa.schema(
        [
            column("part", pa.string(), "train or test"),
            column("depth", pa.int64(), "first of the depths at which a state was NaN or infinite"),
            column("block", pa.int64(), "number of the first such block in its part"),
        ]
    ),
    key=("part", "depth", "block"),
    doc="Where states were not finite; the scores from this depth on are NaN.",
)
TABLES: Mapping[str, TableSpec] = {
    "scores": SCORES,
    "curves": CURVES,
    "baselines": BASELINES,
    "costs": COSTS,
    "nonfinite": NONFINITE,
}

MLM_FROZEN = Stage(
    name="mlm_frozen",
    function="tasks.transient_chaos.mlm_depth.frozen:frozen",
    params=FrozenParams,
    tables=TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
)
