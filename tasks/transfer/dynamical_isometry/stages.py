"""The stage `jacobian_spectra`: its parameters and its tables. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.transfer.diagnostics.options import ENCODER, DiagnosticParams
from tasks.transfer.dynamical_isometry.config import Derivatives


@dataclass(frozen=True, kw_only=True)
class SpectraParams(Derivatives, DiagnosticParams):
    """One encoder, the sentences that it reads, and the levels between which it is differentiated."""


_LEVELS = (
    column("input_level", pa.int64(), "input level; 0 is the output of the embeddings"),
    column("output_level", pa.int64(), "output level"),
    column(
        "kind",
        pa.string(),
        "diagonal: the block of the output position; off_diagonal: those of the other words; pooled: both; "
        "published: both with the structurally null values, as drawn in the publication; whole: position 0 with "
        "respect to all words together",
    ),
)
SPECTRA = TableSpec(
    schema=pa.schema(
        [
            column("sentence", pa.int64(), "index of the sentence in the train split"),
            column("position", pa.int64(), "output position t"),
            *_LEVELS,
            column("n_tokens", pa.int64(), "number of tokens in the sentence"),
            column("n_blocks", pa.int64(), "number of Jacobian blocks, one per word"),
            column("nulls", pa.int64(), "structurally null values per block, left out of all kinds but published"),
            column("sigma_max", pa.float64(), "largest singular value"),
            column("mean", pa.float64(), "mean singular value"),
            column("sd", pa.float64(), "population standard deviation of the singular values"),
            column("median", pa.float64(), "median singular value"),
            column("min", pa.float64(), "smallest singular value"),
            column("mean_log", pa.float64(), "mean of ln sigma over positive values"),
            column("sd_log", pa.float64(), "population standard deviation of ln sigma over positive values"),
            column("isometry", pa.float64(), "mean of (sigma - 1)^2, 0 for an isometry"),
            column("null_max", pa.float64(), "largest structurally null value; NaN where there is none"),
            column("n_zero", pa.int64(), "number of values that are exactly 0"),
            column("n_not_finite", pa.int64(), "number of NaN values, of blocks with NaN or infinite entries"),
        ]
    ),
    key=("sentence", "position", "input_level", "output_level", "kind"),
    doc="Statistics of the singular values of each sentence's Jacobian blocks; structurally null ones left out.",
)
HISTOGRAM = TableSpec(
    schema=pa.schema(
        [
            *_LEVELS,
            column("bin", pa.int64(), "index of the bin"),
            column("low", pa.float64(), "lower edge of the bin of ln sigma, inclusive; -inf for the lowest bin"),
            column("high", pa.float64(), "upper edge of the bin, exclusive; inf for the highest bin"),
            column(
                "count",
                pa.int64(),
                "number of singular values in the bin, over all sentences; zeros count in the lowest",
            ),
        ]
    ),
    key=("input_level", "output_level", "kind", "bin"),
    doc="How many singular values have which natural logarithm; bins without any are left out.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_sentences", pa.int64(), "number of sentences"),
            column("n_tokens", pa.int64(), "number of tokens in them"),
            column("n_blocks", pa.int64(), "number of Jacobian blocks decomposed"),
            column("layer_passes", pa.int64(), "forward layer applications to one sentence, as counted"),
            column("products", pa.int64(), "vector-Jacobian products, one per component of each output"),
            column("jacobian_seconds", pa.float64(), "seconds in forward and backward passes"),
            column("svd_seconds", pa.float64(), "seconds in singular value decompositions"),
        ]
    ),
    key=(),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"spectra": SPECTRA, "histogram": HISTOGRAM, "costs": COSTS}

JACOBIAN_SPECTRA = Stage(
    name="jacobian_spectra",
    function="tasks.transfer.dynamical_isometry.spectra:spectra",
    params=SpectraParams,
    tables=TABLES,
    resources=ENCODER,
    artifact=True,
)
