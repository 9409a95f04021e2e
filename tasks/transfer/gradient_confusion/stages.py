"""The stage `gradient_confusion`: its parameters and its tables. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.transfer.diagnostics.options import ENCODER, DiagnosticParams
from tasks.transfer.gradient_confusion.config import Batches

FORWARD_AND_BACKWARD = 3  # a backward pass costs two forward ones


@dataclass(frozen=True, kw_only=True)
class ConfusionParams(Batches, DiagnosticParams):
    """A classifier that is not trained, and the batches whose gradients are compared (README 2)."""


PAIRS = TableSpec(
    schema=pa.schema(
        [
            column("i", pa.int64(), "index of a batch"),
            column("j", pa.int64(), "index of a later batch"),
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
    doc="Similarity of the gradients of any two batches. Pairs share gradients: they are no independent sample.",
)
GRADIENTS = TableSpec(
    schema=pa.schema(
        [
            column("batch", pa.int64(), "index of the batch"),
            column("loss", pa.float64(), "mean loss of its sentences: nats, squared scores for a regression"),
            column("norm", pa.float64(), "Euclidean norm of its gradient with respect to all parameters"),
        ]
    ),
    key=("batch",),
    doc="The batches.",
)
SIMILARITY = TableSpec(
    schema=pa.schema(
        [
            column("metric", pa.string(), "statistic of the cosines over all pairs: min, median, mean, negative_share"),
            column("value", pa.float64(), "value; pairs that are NaN are left out"),
            column(
                "error",
                pa.float64(),
                "standard error over batches (jackknife over gradients); NaN for min and median",
            ),
            column("pairs", pa.int64(), "number of pairs"),
            column("not_finite", pa.int64(), "number of pairs without a cosine: a gradient is zero or not finite"),
        ]
    ),
    key=("metric",),
    doc="Similarity of a job's gradients.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("gradients", pa.int64(), "number of gradients, one per batch"),
            column("parameters", pa.int64(), "number of entries of a gradient"),
            column(
                "kept",
                pa.int64(),
                "number of entries kept: of the embedding matrix only rows that some batch reads, others are 0",
            ),
            column("in_file", pa.bool_(), "whether the gradients exceeded memory and went through a file"),
            column(
                "block_bytes", pa.int64(), "maximum size of a block of gradients, half of the memory that they may take"
            ),
            column("peak_bytes", pa.int64(), "peak memory of gradients"),
            column("tokens", pa.int64(), "number of tokens that passed the encoder, padding included"),
            column("layer_passes", pa.int64(), "layer applications to one sentence, a backward pass counted as two"),
            column(
                "encoder_seconds", pa.float64(), "seconds in forward and backward passes, storing gradients included"
            ),
            column("gram_seconds", pa.float64(), "seconds in comparing all pairs"),
        ]
    ),
    key=(),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"pairs": PAIRS, "gradients": GRADIENTS, "similarity": SIMILARITY, "costs": COSTS}

CONFUSION = Stage(
    name="gradient_confusion",
    function="tasks.transfer.gradient_confusion.confusion:confusion",
    params=ConfusionParams,
    tables=TABLES,
    resources=ENCODER,
)
