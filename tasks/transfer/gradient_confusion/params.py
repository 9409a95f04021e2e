"""What the stage `gradient_confusion` takes and writes: its parameters and its tables. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.encoders.params import require
from tasks.transfer.diagnostics.params import ENCODER, DiagnosticParams


@dataclass(frozen=True, kw_only=True)
class ConfusionParams(DiagnosticParams):
    """A classifier that is not trained, and the batches whose gradients are compared (transfer_analysis 2)."""

    batches: int = 101
    """Batches, at most; fewer where the task has fewer sentences. Whole ones only."""
    batch_size: int = 32
    """Sentences of a batch."""
    accumulation: int = 1
    """Micro-batches that a batch is put together from; without dropout no number depends on it."""
    legacy_padding: bool = False
    """Pad every batch to max_length, as published, instead of to its longest sentence."""

    def __post_init__(self):
        super().__post_init__()
        require(self.batches >= 2, "batches", self.batches, "2 or more, since gradients are compared in pairs")
        for name in ("batch_size", "accumulation"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        divides = self.batch_size % self.accumulation == 0
        require(divides, "accumulation", self.accumulation, f"a divisor of the batch size {self.batch_size}")


PAIRS = TableSpec(
    schema=pa.schema(
        [
            column("i", pa.int64(), "number of a batch, from 0"),
            column("j", pa.int64(), "number of a later batch"),
            column(
                "metric",
                pa.string(),
                "cosine of the two gradients, in [-1, 1]; dot: their inner product, squared nats a squared unit of "
                "parameters; l2: the length of their difference, nats a unit of parameters (for a regression squared "
                "scores instead of nats)",
            ),
            column(
                "value", pa.float64(), "value; NaN where a gradient is not finite, of cosine also where one is zero"
            ),
        ]
    ),
    key=("i", "j", "metric"),
    doc="How alike the gradients of any two batches are. Pairs share gradients: they are no independent sample.",
)
GRADIENTS = TableSpec(
    schema=pa.schema(
        [
            column("batch", pa.int64(), "number of the batch, from 0"),
            column("loss", pa.float64(), "mean loss of its sentences: nats, or of a regression squared scores"),
            column("norm", pa.float64(), "length of its gradient with respect to all parameters"),
        ]
    ),
    key=("batch",),
    doc="The batches.",
)
SIMILARITY = TableSpec(
    schema=pa.schema(
        [
            column("metric", pa.string(), "of the cosines over all pairs: min, median, mean, negative_share"),
            column("value", pa.float64(), "value; pairs that are NaN are left out"),
            column(
                "error",
                pa.float64(),
                "its standard error over batches, by the jackknife over gradients; NaN for min and median",
            ),
            column("pairs", pa.int64(), "pairs"),
            column("not_finite", pa.int64(), "pairs without a cosine: a gradient is zero or not finite"),
        ]
    ),
    key=("metric",),
    doc="How alike the gradients of a job are on the whole.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("gradients", pa.int64(), "batches whose gradient was computed, each once"),
            column("parameters", pa.int64(), "numbers of a gradient"),
            column(
                "kept",
                pa.int64(),
                "of these kept: of the word embeddings only rows that some batch reads, others are 0",
            ),
            column("in_file", pa.bool_(), "whether the gradients were too many for memory and went through a file"),
            column("block_bytes", pa.int64(), "a block of gradients at most, half of what they may take"),
            column("peak_bytes", pa.int64(), "gradients that were in memory at once, at most"),
            column("tokens", pa.int64(), "tokens that passed the encoder, padding included"),
            column("layer_passes", pa.int64(), "layer applications to one sentence, backward counted as two"),
            column("encoder_seconds", pa.float64(), "seconds in forward and backward passes, and in keeping gradients"),
            column("gram_seconds", pa.float64(), "seconds in comparing all pairs"),
        ]
    ),
    key=(),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"pairs": PAIRS, "gradients": GRADIENTS, "similarity": SIMILARITY, "costs": COSTS}

CONFUSION = Stage(
    name="gradient_confusion",
    function="tasks.transfer.gradient_confusion.stage:confusion",
    params=ConfusionParams,
    tables=TABLES,
    resources=ENCODER,
)
