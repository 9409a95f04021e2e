"""The stages `subword_pairs` and `pair_report` as the plan sees them, and the job of a data set. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
from annotated_types import Ge

from orchestrator.experiment import Job, Stage, TableSpec, column
from orchestrator.limits import Limited, Positive, shared
from tasks.attention.pairs.sources import locate_pairs

LEAST = 5  # four special pieces, and another one


@dataclass(frozen=True, kw_only=True)
class PairOptions(Limited):
    """Which pairs of a data set are used, and their vocabulary."""

    vocab_size: Annotated[int, Ge(LEAST)] = 8000  # published
    """Size of the one subword vocabulary of both languages, the four special pieces included."""
    train_limit: Positive | None = None
    """Maximum number of training pairs, a fixed random part: a smaller limit's are among a larger one's. The vocabulary
    is made of these pairs alone."""
    val_limit: Positive | None = None
    """Maximum number of evaluation pairs, likewise."""
    legacy_empty_lines: bool = False
    """Keep pairs with an empty side, and the one behind the last line break, as published for iwslt14."""

    def limit(self, split: str) -> int | None:
        return self.train_limit if split == "train" else self.val_limit


@dataclass(frozen=True, kw_only=True)
class _Languages(Limited):
    dataset: str
    """Name of the data set."""
    source_language: str
    """Ending of the source files, column of the hub."""
    target_language: str
    """Ending of the target files, column of the hub."""


@dataclass(frozen=True, kw_only=True)
class SubwordPairsParams(PairOptions, _Languages):
    """Everything that shapes the ids of a data set, beside the data's fingerprint."""


DATA = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "train or val"),
            column("pairs", pa.int64(), "pairs that are used"),
            column("pairs_found", pa.int64(), "pairs of the files, those with an empty side left out"),
            column("empty_pairs", pa.int64(), "pairs with two empty sides, which are left out"),
            column("empty_sides", pa.int64(), "pairs with one empty side, which are left out"),
            column(
                "first_empty_side", pa.string(), "place of the first pair with one empty side; empty if there is none"
            ),
            column("source_tokens", pa.int64(), "pieces of the sources, <s> and </s> included"),
            column("target_tokens", pa.int64(), "pieces of the targets, <s> and </s> included"),
            column("target_positions", pa.int64(), "predicted target positions: pieces and </s>"),
            column("longest_source", pa.int64(), "pieces of the longest source"),
            column("longest_target", pa.int64(), "pieces of the longest target"),
            column("unknown_share", pa.float64(), "share of all pieces that are <unk>, of all but <s> and </s>"),
        ]
    ),
    key=("split",),
    doc="Sentence pairs that a translator was trained and evaluated on.",
)

SUBWORD_PAIRS = Stage(
    name="subword_pairs",
    function="tasks.attention.pairs.stages:subword_pairs",
    params=SubwordPairsParams,
    artifact=True,
)
PAIR_REPORT = Stage(
    name="pair_report",
    function="tasks.attention.pairs.stages:pair_report",
    params=SubwordPairsParams,
    tables={"data": DATA},
)


def pairs_job(
    dataset: str, data_dir: str | None, *, languages: str | None = None, options: PairOptions | None = None
) -> Job:
    """The job that trains subwords on a data set and encodes it. Where data lie is no part of its identity.

    Args:
        dataset: `rule_language` (builtin), one of `files.LANGUAGES`, or any name with files in `data_dir`.
        data_dir: The directory with the data set's folder, or that folder itself; None reads the hub where it has the
            data set.
        languages: Endings of the source and target files as `de-en`; None takes the data set's own.
        options: Which pairs are used, and their vocabulary; the defaults where none are given.

    Raises:
        DataError: when data are missing or bad.
    """
    options = options or PairOptions()
    source = locate_pairs(dataset, data_dir, languages, legacy_empty_lines=options.legacy_empty_lines)
    params = SubwordPairsParams(
        **shared(options, SubwordPairsParams),
        dataset=source.task,
        source_language=source.languages[0],
        target_language=source.languages[1],
    )
    return Job(stage=SUBWORD_PAIRS, params=params, fingerprints={source.task: source.fingerprint}, paths=source.places)


def pair_report_job(pairs: Job) -> Job:
    """The job that writes the table `data` of a `pairs_job`."""
    return Job(stage=PAIR_REPORT, params=pairs.params, needs={"data": pairs}, fingerprints=pairs.fingerprints)


def pair_sizes(pairs: Job, data_dir: str | None) -> dict[str, int]:
    """Pairs of train and val of a `pairs_job` after the limits, for the steps of a training; the hub's are published.

    Raises:
        DataError: as `pairs_job`.
    """
    params = pairs.params
    languages = f"{params.source_language}-{params.target_language}"
    source = locate_pairs(params.dataset, data_dir, languages, legacy_empty_lines=params.legacy_empty_lines)
    return {split: min(size, params.limit(split) or size) for split, size in source.sizes.items()}
