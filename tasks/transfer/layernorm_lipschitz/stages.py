"""The stage `layernorm_spread`: its parameters and its tables. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Stage, TableSpec, column
from tasks.transfer.diagnostics.options import ENCODER, DiagnosticParams
from tasks.transfer.layernorm_lipschitz.config import Batches


@dataclass(frozen=True, kw_only=True)
class SpreadParams(Batches, DiagnosticParams):
    """One encoder and the batches that it reads."""


_SITE = (
    column("site", pa.int64(), "index of the LayerNorm's application in a pass"),
    column("name", pa.string(), "module name in the encoder; of a shared layer the same in every layer"),
    column("layer", pa.int64(), "layer, from 1; 0: the embeddings"),
    column("place", pa.int64(), "position among the LayerNorms of its layer, from 1"),
    column("kind", pa.string(), "attention or ffn: after that residual sum; else the last part of the name"),
    column("positions", pa.string(), "valid: tokens of the text; all: with padding"),
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
            column("value", pa.float64(), "value over the positions whose sigma is finite and positive"),
        ]
    ),
    key=("site", "positions", "metric"),
    doc="Spread over features of the input of each LayerNorm.",
)
HISTOGRAM = TableSpec(
    schema=pa.schema(
        [
            *_SITE,
            column("bin", pa.int64(), "index of the bin"),
            column("low", pa.float64(), "lower edge of the bin of 1/sigma, inclusive; 0 for the lowest bin"),
            column("high", pa.float64(), "upper edge of the bin, exclusive; inf for the highest bin"),
            column("count", pa.int64(), "number of positions in the bin"),
        ]
    ),
    key=("site", "positions", "bin"),
    doc="How many positions have which 1/sigma; ten bins a decade, those without any are left out.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_batches", pa.int64(), "number of batches"),
            column("n_sentences", pa.int64(), "number of sentences"),
            column("n_tokens", pa.int64(), "number of tokens of the text"),
            column("n_positions", pa.int64(), "number of positions, padding included"),
            column("n_sites", pa.int64(), "LayerNorm applications per pass"),
            column("n_not_finite", pa.int64(), "tokens of all sites whose 1/sigma is not finite, left out of sites"),
            column("layer_passes", pa.int64(), "layer applications to one sentence, as counted"),
            column("encoder_seconds", pa.float64(), "seconds in passes, statistics included"),
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
