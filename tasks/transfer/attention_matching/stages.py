"""What the stage `attention_matching` takes and writes: its parameters, its tables, the stage itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.transfer.attention_matching.config import MatchingOptions
from tasks.transfer.comparison.options import PairParams


@dataclass(frozen=True, kw_only=True)
class MatchingParams(MatchingOptions, PairParams):
    """The attention heads of two encoders, layer by layer, on the same proteins (README 6)."""


_COST = (
    "mean over query rows of the L1 distance of two heads' attention (twice the total variation), 0 to 2; with "
    "legacy_padding its sum over all rows"
)
_TOKENS = column(
    "tokens",
    pa.string(),
    "all: every token counts; residues: rows and columns of the two special tokens are left out, and what is left is "
    "not scaled up",
)
_LAYER = column("layer", pa.int64(), "layer of the encoder with fewer layers, from 1; the other's is at equal depth")
MATCHES = TableSpec(
    schema=pa.schema(
        [
            _TOKENS,
            _LAYER,
            column("protein", pa.int64(), "number of the protein in the file"),
            column("n_tokens", pa.int64(), "its tokens, the two special ones included"),
            column(
                "metric",
                pa.string(),
                f"matched: mean over pairs of heads of the cost ({_COST}) under the best one-to-one matching for this "
                "protein; unmatched: its mean under one drawn uniformly, which is the mean over all pairs; "
                "shuffled_sd: the sd of it under such draws; z: (matched - unmatched) / shuffled_sd, below 0 by "
                "construction; bug_total: the published sum with its missing index, over all heads",
            ),
            column("value", pa.float64(), "NaN where an attention map was not finite, or too few residues are left"),
        ]
    ),
    key=("tokens", "layer", "protein", "metric"),
    doc="The best matching of heads for each layer and protein.",
)
LAYERS = TableSpec(
    schema=pa.schema(
        [
            _TOKENS,
            _LAYER,
            column("layer_first", pa.int64(), "layer of the first encoder"),
            column("layer_second", pa.int64(), "layer of the second encoder"),
            column(
                "metric",
                pa.string(),
                "matched_mean, matched_sd (population): of `matched` over proteins; unmatched_mean: of `unmatched`; "
                "shuffled_sd: root mean square of the proteins' `shuffled_sd`; z_mean: of `z`; "
                "one_matching: mean cost under the one matching that is best for all proteins; one_shuffled_sd: sd of "
                "it under one matching drawn for all proteins; crossfit: mean cost under the matching that is best for "
                "the other half of the proteins; crossfit_z: (crossfit - unmatched_mean) / one_shuffled_sd; agreement: "
                "share of a protein's pairs that are pairs of the one matching, mean over proteins; bug_mean, bug_sd "
                "(population): of `bug_total`",
            ),
            column("value", pa.float64(), "in the unit of the costs, or none (z_mean, crossfit_z, agreement)"),
            column("n_proteins", pa.int64(), "proteins with finite costs, over which this is"),
        ]
    ),
    key=("tokens", "layer", "metric"),
    doc="Each layer over all proteins.",
)
HEADS = TableSpec(
    schema=pa.schema(
        [
            _TOKENS,
            _LAYER,
            column("head_second", pa.int64(), "head of the second encoder, from 0"),
            column("head_first", pa.int64(), "head of the first encoder, from 0"),
            column("share", pa.float64(), "share of the proteins in whose best matching the two are a pair"),
            column("in_matching", pa.bool_(), "whether they are a pair of the one matching that is best for all"),
            column("cost", pa.float64(), f"mean over proteins: {_COST}"),
        ]
    ),
    key=("tokens", "layer", "head_second", "head_first"),
    doc="Every pair of heads of each layer.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_proteins", pa.int64(), "proteins read"),
            column("n_tokens", pa.int64(), "their tokens, special ones included, padding not"),
            column("longest", pa.int64(), "tokens of the longest protein read"),
            column("batch_size", pa.int64(), "proteins of a batch at most, as memory allows"),
            column("layer_passes", pa.int64(), "layer applications to one protein, both encoders, counted running"),
            column("encoder_seconds", pa.float64(), "seconds in both encoders"),
            column("matching_seconds", pa.float64(), "seconds in costs and matchings"),
            column("map_bytes", pa.int64(), "bytes of the attention maps held together at most"),
            column("sum_bytes", pa.int64(), "bytes kept between batches but for the rows: the same for any number"),
            column("not_finite", pa.int64(), "costs of a protein and layer that were not finite"),
        ]
    ),
    key=("n_proteins",),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"matches": MATCHES, "layers": LAYERS, "heads": HEADS, "costs": COSTS}

MATCHING = Stage(
    name="attention_matching",
    function="tasks.transfer.attention_matching.matching:matching",
    params=MatchingParams,
    tables=TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
)
