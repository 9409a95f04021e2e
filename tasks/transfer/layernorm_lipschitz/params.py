"""What the stage `layernorm_spread` takes and writes: parameters, tables, the stage itself. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.encoders.params import require
from tasks.transfer.diagnostics.params import ENCODER, DiagnosticParams


@dataclass(frozen=True, kw_only=True)
class SpreadParams(DiagnosticParams):
    """One encoder and the batches that it reads."""

    batches: int
    """Batches at most."""
    batch_size: int
    """Sentences a batch."""
    legacy_padding: bool = False
    """Pad to max_length, as published."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("batches", "batch_size"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")


_SITE = (
    column("site", pa.int64(), "number of the LayerNorm's application in a pass, from 0"),
    column("name", pa.string(), "its module in the encoder; a shared layer's stands in every layer"),
    column("layer", pa.int64(), "layer from 1 that it is applied in; 0: the embeddings"),
    column("place", pa.int64(), "which LayerNorm of its layer, from 1"),
    column("kind", pa.string(), "attention and ffn: behind these residual sums; else the last part of the name"),
    column("positions", pa.string(), "valid: the tokens of the text; all: padding too"),
)
SITES = TableSpec(
    schema=pa.schema(
        [
            *_SITE,
            column(
                "metric",
                pa.string(),
                "mean_, sd_ (n - 1), min_, max_inverse_sigma: of 1/sqrt(var + eps), what the LayerNorm multiplies its "
                "centred input by; mean_, sd_unbiased: of 1 over the unbiased standard deviation, as published; "
                "mean_gain, max_gain: of |gamma_i|/sigma over positions and features; mean_bound: mean over positions "
                "of max_i |gamma_i|/sigma, which bounds the LayerNorm's derivative",
            ),
            column("value", pa.float64(), "its value over the positions whose sigma is finite and above 0"),
        ]
    ),
    key=("site", "positions", "metric"),
    doc="How far apart the features are that enter each LayerNorm.",
)
HISTOGRAM = TableSpec(
    schema=pa.schema(
        [
            *_SITE,
            column("bin", pa.int64(), "number of the bin"),
            column("low", pa.float64(), "lower end of the bin of 1/sigma, which it holds; 0 at the lowest"),
            column("high", pa.float64(), "upper end of the bin; inf at the highest"),
            column("count", pa.int64(), "positions in it"),
        ]
    ),
    key=("site", "positions", "bin"),
    doc="How many positions have which 1/sigma; ten bins a decade, those without any are left out.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_batches", pa.int64(), "batches"),
            column("n_sentences", pa.int64(), "sentences"),
            column("n_tokens", pa.int64(), "tokens of the text"),
            column("n_positions", pa.int64(), "positions with padding"),
            column("n_sites", pa.int64(), "LayerNorm applications in a pass"),
            column("n_not_finite", pa.int64(), "tokens of all sites whose 1/sigma is not finite; left out of sites"),
            column("layer_passes", pa.int64(), "layer applications to one sentence, counted while running"),
            column("encoder_seconds", pa.float64(), "seconds of the passes, with what is computed from them"),
        ]
    ),
    key=(),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"sites": SITES, "histogram": HISTOGRAM, "costs": COSTS}

LAYERNORM_SPREAD = Stage(
    name="layernorm_spread",
    function="tasks.transfer.layernorm_lipschitz.spread:spread",
    params=SpreadParams,
    tables=TABLES,
    resources=ENCODER,
)
