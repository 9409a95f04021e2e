"""The stage `perturbation`: its parameters and its tables. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.transfer.diagnostics.options import ENCODER, DiagnosticParams
from tasks.transfer.perturbation.config import NoisyBatches


@dataclass(frozen=True, kw_only=True)
class PerturbationParams(NoisyBatches, DiagnosticParams):
    """A bare encoder, the sentences that it reads, and the noise that its weights get (README 3)."""


_SENTENCE = (
    column("batch", pa.int64(), "index of the batch; its sentences share their noise"),
    column("sentence", pa.int64(), "index of the sentence in the task's train split"),
)
DISTANCES = TableSpec(
    schema=pa.schema(
        [
            column("noise", pa.string(), "absolute, or relative: in units of the root mean square of each tensor"),
            column("std", pa.float64(), "standard deviation of the noise"),
            *_SENTENCE,
            column(
                "distance",
                pa.float64(),
                "L2 norm of the difference of the last layer's states at position 0, with and without noise; in "
                "units of the states",
            ),
            column("precision", pa.string(), "precision of both passes: float32 or float64"),
        ]
    ),
    key=("noise", "std", "batch", "sentence"),
    doc="Distance that each sentence's state moves.",
)
FLOORS = TableSpec(
    schema=pa.schema(
        [
            *_SENTENCE,
            column(
                "distance",
                pa.float64(),
                "L2 norm of the difference of the states without noise in float32 and in float64: rounding alone",
            ),
        ]
    ),
    key=("batch", "sentence"),
    doc="The distance that rounding to float32 alone makes, where levels were computed in both precisions.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("sentences", pa.int64(), "number of sentences"),
            column("batches_read", pa.int64(), "number of batches, each with a draw of noise"),
            column("hidden", pa.int64(), "hidden size H"),
            column("parameters", pa.int64(), "number of weights that get noise"),
            column("clean_passes", pa.int64(), "passes of a batch without noise, one per precision"),
            column("noisy_passes", pa.int64(), "passes of a batch with noise, one per level and kind"),
            column("layer_passes", pa.int64(), "layer applications to one sentence, as counted"),
            column("noise_seconds", pa.float64(), "seconds in drawing noise"),
            column("encoder_seconds", pa.float64(), "seconds in passes, adding noise to the weights included"),
        ]
    ),
    key=(),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"distances": DISTANCES, "floors": FLOORS, "costs": COSTS}

PERTURBATION = Stage(
    name="perturbation",
    function="tasks.transfer.perturbation.noise:perturbation",
    params=PerturbationParams,
    tables=TABLES,
    resources=ENCODER,
)
