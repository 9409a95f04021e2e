"""The parameters, tables and stage of `mlm_depth`. Imports no torch: the plan reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import NotNegative, Several, ZeroOrMore, require
from tasks.encoders.params import EncoderParams
from tasks.transient_chaos.mlm_depth.config import Blocks, Masks, Optimisation, Readout


@dataclass(frozen=True, kw_only=True)
class _Readouts(Blocks, EncoderParams):
    readouts: Several[Readout]
    """trained: the checkpoint's own, trained further. new: with random weights, then trained. zero_shot: the
    checkpoint's own as it is; of random encoders, which have none, random weights as they are."""
    data_seed: int = 42
    """Random seed for shuffling and masking blocks, which all encoders, depths and readouts see alike."""


@dataclass(frozen=True, kw_only=True)
class HeadSettings(Optimisation):
    """How readouts are trained, with what is no option."""

    weight_decay: ZeroOrMore = 0.001
    """Decoupled weight decay, not on biases and LayerNorm gains."""
    clip: ZeroOrMore = 1.0
    """Maximum gradient norm of a readout; 0: none."""


@dataclass(frozen=True, kw_only=True)
class FrozenParams(Masks, HeadSettings, _Readouts):
    """One encoder with frozen weights, and a readout for each depth, kind and seed (README 4)."""

    curve_points: NotNegative = 50
    """Maximum number of training-curve points."""

    def __post_init__(self):
        super().__post_init__()
        fine = self.encoder == "pretrained" or "trained" not in self.readouts
        require(fine, "readouts", self.readouts, "new or zero_shot with a random encoder")
        # Each seed overwrites the word embeddings, so it is an encoder of its own.
        alone = self.readouts == ("new",) and len(self.seeds) == 1
        require(
            alone or not self.legacy_readout_init, "legacy_readout_init", True, "the readout new alone, and one seed"
        )


_RUN = (
    column(
        "readout",
        pa.string(),
        "trained: the checkpoint's, trained further; new: random, then trained; zero_shot: as is",
    ),
    column("depth", pa.int64(), "number of layers"),
    column("seed", pa.int64(), "random seed of a new readout; the others have none, and stand under the first"),
)
SCORES = TableSpec(
    schema=pa.schema(
        [
            *_RUN,
            column(
                "metric",
                pa.string(),
                "accuracy (mean over blocks of right/masked, published), accuracy_micro (right/masked over all), loss "
                "(nats per masked token), perplexity (exp of it), perplexity_batch_means (exp of the mean of the "
                "batches' means, published)",
            ),
            column("value", pa.float64(), "value on the test part; NaN where a state or a readout was not finite"),
        ]
    ),
    key=("readout", "depth", "seed", "metric"),
    doc="Accuracy and loss of masked-token prediction from the states of each depth.",
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
                "guess_accuracy, guess_accuracy_micro: always predicting the most frequent training token; "
                "unigram_loss (nats), unigram_perplexity: predicting the training tokens' frequencies",
            ),
            column("value", pa.float64(), "value on the masked tokens of the test part"),
        ]
    ),
    key=("metric",),
    doc="Chance level: predictions that ignore the context.",
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
    doc="Cost of each job.",
)
NONFINITE = TableSpec(
    schema=pa.schema(
        [
            column("part", pa.string(), "train or test"),
            column("depth", pa.int64(), "first of the depths at which a state was NaN or infinite"),
            column("block", pa.int64(), "index of the first such block in its part"),
        ]
    ),
    key=("part", "depth", "block"),
    doc="States that were not finite; the scores from this depth on are NaN.",
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
