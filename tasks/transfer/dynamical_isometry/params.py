"""What the stage `jacobian_spectra` takes and writes: parameters, tables, the stage itself. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.encoders.params import require
from tasks.transfer.diagnostics.params import ENCODER, DiagnosticParams


@dataclass(frozen=True, kw_only=True)
class SpectraParams(DiagnosticParams):
    """One encoder, the sentences that it reads, and the levels between which it is differentiated."""

    sentences: int
    """The first so many of the order of the seed."""
    positions: int = 1
    """Output positions of each sentence; all of a shorter one."""
    position_share: float | None = None
    """Instead: this share of a sentence's tokens, at least one."""
    input_levels: tuple[int, ...] = (0,)
    """Levels that are differentiated by."""
    output_levels: tuple[int, ...] = ()
    """Levels that are differentiated; empty: the last."""
    whole: bool = False
    """Also position 0 with respect to all words together."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("sentences", "positions"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        share = self.position_share
        require(share is None or 0 < share <= 1, "position_share", share, "more than 0 and at most 1, or None")
        require(bool(self.input_levels), "input_levels", self.input_levels, "at least one")


_LEVELS = (
    column("input_level", pa.int64(), "level that is differentiated by; 0 is the output of the embeddings"),
    column("output_level", pa.int64(), "level that is differentiated"),
    column(
        "kind",
        pa.string(),
        "diagonal: the block of the output's own position; off_diagonal: those of the other words; pooled: both; "
        "published: both with the structurally null values, as drawn in the publication; whole: position 0 with "
        "respect to all words together",
    ),
)
SPECTRA = TableSpec(
    schema=pa.schema(
        [
            column("sentence", pa.int64(), "number of the sentence in the train split"),
            column("position", pa.int64(), "t, the position whose state is differentiated"),
            *_LEVELS,
            column("n_tokens", pa.int64(), "tokens of the sentence"),
            column("n_blocks", pa.int64(), "Jacobian blocks that the row is about, one a word"),
            column("nulls", pa.int64(), "structurally null values of each block, which are left out (but: published)"),
            column("sigma_max", pa.float64(), "largest singular value"),
            column("mean", pa.float64(), "mean singular value"),
            column("sd", pa.float64(), "standard deviation (population) of the singular values"),
            column("median", pa.float64(), "median singular value"),
            column("min", pa.float64(), "smallest singular value"),
            column("mean_log", pa.float64(), "mean of ln sigma over values above 0"),
            column("sd_log", pa.float64(), "standard deviation (population) of ln sigma over values above 0"),
            column("isometry", pa.float64(), "mean of (sigma - 1)^2, 0 for an isometry"),
            column("null_max", pa.float64(), "largest of the values left out; NaN where none is"),
            column("n_zero", pa.int64(), "values that are exactly 0"),
            column("n_not_finite", pa.int64(), "values that are NaN, of blocks with NaN or infinite entries"),
        ]
    ),
    key=("sentence", "position", "input_level", "output_level", "kind"),
    doc="Statistics of the singular values of each sentence's Jacobian blocks; structurally null ones left out.",
)
HISTOGRAM = TableSpec(
    schema=pa.schema(
        [
            *_LEVELS,
            column("bin", pa.int64(), "number of the bin"),
            column("low", pa.float64(), "lower end of the bin of ln sigma, which it holds; -inf at the lowest"),
            column("high", pa.float64(), "upper end of the bin; inf at the highest"),
            column("count", pa.int64(), "singular values in it, of all sentences; zeros are in the lowest bin"),
        ]
    ),
    key=("input_level", "output_level", "kind", "bin"),
    doc="How many singular values have which natural logarithm; bins without any are left out.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_sentences", pa.int64(), "sentences"),
            column("n_tokens", pa.int64(), "their tokens"),
            column("n_blocks", pa.int64(), "Jacobian blocks whose singular values were computed"),
            column("layer_passes", pa.int64(), "forward layer applications to one sentence, counted while running"),
            column("products", pa.int64(), "vector-Jacobian products, one for each component of each output"),
            column("jacobian_seconds", pa.float64(), "seconds in the encoder, forward and backward"),
            column("svd_seconds", pa.float64(), "seconds in singular values"),
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
