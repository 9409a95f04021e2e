"""What the stage `representation_similarity` takes and writes: its parameters, its tables, the stage itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import require
from tasks.transfer.comparison.options import PairParams
from tasks.transfer.representation_similarity.config import SimilarityOptions

METRICS = ("pwcca", "pwcca_reverse", "pwcca_mean", "mean_cca", "svcca", "cka")


@dataclass(frozen=True, kw_only=True)
class SimilarityParams(SimilarityOptions, PairParams):
    """The states of two encoders at the same positions of the same proteins (README 5)."""

    def __post_init__(self):
        super().__post_init__()
        require(all(a < b for a, b in pairwise(self.levels)), "levels", self.levels, "ascending numbers")


TABLE = TableSpec(
    schema=pa.schema(
        [
            column("level_first", pa.int64(), "level of the first encoder; 0: the output of its embeddings"),
            column("level_second", pa.int64(), "level of the second encoder"),
            column(
                "metric",
                pa.string(),
                "pwcca: canonical correlations weighted by the first encoder's variates, as published; pwcca_reverse: "
                "by the second's; pwcca_mean: of both; mean_cca: unweighted mean of the canonical correlations; svcca: "
                "their mean for the principal components with 99 % of the variance; cka: linear",
            ),
            column("value", pa.float64(), "0 to 1; NaN where states are constant or not finite"),
            column(
                "null_mean", pa.float64(), "mean of the same of independent Gaussian rows, as many, of equal scatter"
            ),
            column("null_sd", pa.float64(), "sample standard deviation of these draws; NaN for one"),
            column("null_max", pa.float64(), "largest of these draws"),
            column(
                "shuffled",
                pa.float64(),
                "the same where each row of the second encoder is of another position of the same protein, by one "
                "permutation of positions for all: what they share because they read the same proteins",
            ),
            column("n_rows", pa.int64(), "positions compared"),
            column("dim_first", pa.int64(), "features of the first encoder"),
            column("dim_second", pa.int64(), "features of the second encoder"),
            column("rank_first", pa.int64(), "directions in which the first encoder's states vary, at most n_rows - 1"),
            column("rank_second", pa.int64(), "directions in which the second encoder's states vary"),
        ]
    ),
    key=("level_first", "level_second", "metric"),
    doc="How alike two levels are, beside what data that have nothing to do with each other would give.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_proteins", pa.int64(), "proteins read"),
            column("n_rows", pa.int64(), "positions compared"),
            column("level_pairs", pa.int64(), "pairs of levels compared"),
            column("data_passes", pa.int64(), "passes over the proteins: more than one where moments fill the memory"),
            column("batch_size", pa.int64(), "proteins of a batch at most, as memory allows"),
            column("layer_passes", pa.int64(), "layer applications to one protein, both encoders, counted running"),
            column("moment_bytes", pa.int64(), "bytes of the moments held together: the same for any number of rows"),
            column("encoder_seconds", pa.float64(), "seconds in both encoders"),
            column("moment_seconds", pa.float64(), "seconds in products of states"),
            column("compare_seconds", pa.float64(), "seconds in comparisons and nulls"),
        ]
    ),
    key=("n_rows",),
    doc="What each job cost.",
)
TABLES: Mapping[str, TableSpec] = {"similarity": TABLE, "costs": COSTS}

SIMILARITY = Stage(
    name="representation_similarity",
    function="tasks.transfer.representation_similarity.similarity:similarity",
    params=SimilarityParams,
    tables=TABLES,
    resources=Resources(num_cpus=1, num_gpus=1),
)
