"""What the stage `perturbation` takes and writes: its parameters and its tables. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.encoders.params import require
from tasks.transfer.diagnostics.params import ENCODER, DiagnosticParams

Noise = Literal["absolute", "relative"]


@dataclass(frozen=True, kw_only=True)
class PerturbationParams(DiagnosticParams):
    """A bare encoder, the sentences that it reads, and the noise that its weights get (transfer_analysis 3)."""

    batches: int = 201
    """Batches, at most; fewer where the task has fewer sentences."""
    batch_size: int = 32
    """Sentences of a batch; the last may have fewer. Those of a batch share their noise."""
    stds: tuple[float, ...]
    """Levels of the noise."""
    noises: tuple[Noise, ...]
    """Kinds of the noise."""
    double_below: float = 1e-6
    """Levels up to this one are computed in float64."""
    legacy_padding: bool = False
    """Pad every batch to max_length, as published, instead of to its longest sentence."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("batches", "batch_size"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("stds", "noises"):
            values = getattr(self, name)
            require(bool(values) and len(set(values)) == len(values), name, values, "at least one, each once")
        require(all(0 < std < float("inf") for std in self.stds), "stds", self.stds, "more than 0 each")
        require(self.double_below >= 0, "double_below", self.double_below, "0 or more")


DISTANCES = TableSpec(
    schema=pa.schema(
        [
            column("noise", pa.string(), "absolute, or relative to the root mean square of each tensor"),
            column("std", pa.float64(), "standard deviation of the noise: of weights, or relative to that root"),
            column("batch", pa.int64(), "number of the batch, from 0; its sentences share their noise"),
            column("sentence", pa.int64(), "number of the sentence in the task's train split"),
            column(
                "distance",
                pa.float64(),
                "length of the difference of the last layer's states at position 0, with and without the noise; in "
                "units of the states",
            ),
            column("precision", pa.string(), "float32 or float64: what both passes were computed in"),
        ]
    ),
    key=("noise", "std", "batch", "sentence"),
    doc="How far each sentence's state moves.",
)
FLOORS = TableSpec(
    schema=pa.schema(
        [
            column("batch", pa.int64(), "number of the batch, from 0"),
            column("sentence", pa.int64(), "number of the sentence in the task's train split"),
            column(
                "distance",
                pa.float64(),
                "length of the difference of the states without noise in float32 and in float64: rounding alone",
            ),
        ]
    ),
    key=("batch", "sentence"),
    doc="Below what distance float32 shows rounding; where levels were computed in both precisions.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("sentences", pa.int64(), "sentences read"),
            column("batches_read", pa.int64(), "batches read, each with a draw of noise"),
            column("hidden", pa.int64(), "width H of the states"),
            column("parameters", pa.int64(), "weights that got noise"),
            column("clean_passes", pa.int64(), "passes of a batch without noise: one a precision"),
            column("noisy_passes", pa.int64(), "passes of a batch with noise: one a level and kind"),
            column("layer_passes", pa.int64(), "layer applications to one sentence, counted while running"),
            column("noise_seconds", pa.float64(), "seconds in drawing noise"),
            column("encoder_seconds", pa.float64(), "seconds in adding it to the weights and in passes"),
        ]
    ),
    key=(),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"distances": DISTANCES, "floors": FLOORS, "costs": COSTS}

PERTURBATION = Stage(
    name="perturbation",
    function="tasks.transfer.perturbation.stage:perturbation",
    params=PerturbationParams,
    tables=TABLES,
    resources=ENCODER,
)
