"""The stages `subword_pairs` and `pair_report` as the plan sees them, and the job of a data set. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Job, Stage, TableSpec, column
from tasks.attention.pairs.sources import locate_pairs

VOCAB_SIZE = 8000  # published (attention_dynamics 3.1)


@dataclass(frozen=True, kw_only=True)
class SubwordPairsParams:
    """Everything that shapes the ids of a data set, beside the data's fingerprint."""

    dataset: str
    source_language: str
    target_language: str
    vocab_size: int = VOCAB_SIZE
    """Pieces of the one vocabulary of both languages, the four special ones included."""
    train_limit: int | None = None
    """At most this many training pairs, a fixed random part: a smaller limit's are among a larger one's. The
    vocabulary is made of these pairs alone."""
    val_limit: int | None = None
    """The same for the evaluation pairs."""
    legacy_empty_lines: bool = False
    """Keep pairs with an empty side, and the one behind the last line break, as published for iwslt14 (quirk T6)."""

    def __post_init__(self):
        if self.vocab_size < 5:
            raise ValueError(f"vocab_size is {self.vocab_size}; expected four special pieces and some more")
        for name in ("train_limit", "val_limit"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} is {limit}; expected at least 1, or None for all pairs")

    def limit(self, split: str) -> int | None:
        return self.train_limit if split == "train" else self.val_limit


DATA = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "train or val"),
            column("pairs", pa.int64(), "pairs that are used"),
            column("pairs_found", pa.int64(), "pairs of the files, those with an empty side left out"),
            column("empty_pairs", pa.int64(), "pairs that were left out since both sides are empty"),
            column("empty_sides", pa.int64(), "pairs that were left out since one side is empty"),
            column("first_empty_side", pa.string(), "where the first of those stands; empty where there is none"),
            column("source_tokens", pa.int64(), "pieces of the sources, <s> and </s> included"),
            column("target_tokens", pa.int64(), "pieces of the targets, <s> and </s> included"),
            column("target_positions", pa.int64(), "predicted target positions: pieces and </s>"),
            column("longest_source", pa.int64(), "pieces of the longest source"),
            column("longest_target", pa.int64(), "pieces of the longest target"),
            column("unknown_share", pa.float64(), "share of all pieces that are <unk>, of all but <s> and </s>"),
        ]
    ),
    key=("split",),
    doc="What a translation was trained and evaluated on.",
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
    dataset: str,
    data_dir: str | None,
    *,
    vocab_size: int = VOCAB_SIZE,
    languages: str | None = None,
    train_limit: int | None = None,
    val_limit: int | None = None,
    legacy_empty_lines: bool = False,
) -> Job:
    """The job that trains subwords on a data set and encodes it. Where data lie is no part of its identity.

    Args:
        dataset: `rule_language` (builtin), one of `files.LANGUAGES`, or any name with files in `data_dir`.
        data_dir: The directory with the data set's folder, or that folder itself; None reads the hub where it has the
            data set.
        languages: Endings of the source and target files as `de-en`; None takes the data set's own.

    Raises:
        ValueError: for a bad limit or vocabulary size.
        DataError: when data are missing or bad.
    """
    source = locate_pairs(dataset, data_dir, languages, legacy_empty_lines=legacy_empty_lines)
    params = SubwordPairsParams(
        dataset=source.dataset,
        source_language=source.languages[0],
        target_language=source.languages[1],
        vocab_size=vocab_size,
        train_limit=train_limit,
        val_limit=val_limit,
        legacy_empty_lines=legacy_empty_lines,
    )
    return Job(
        stage=SUBWORD_PAIRS,
        params=params,
        fingerprints={source.dataset: source.fingerprint},
        paths=source.places,
    )


def pair_report_job(pairs: Job) -> Job:
    """The job that writes the table `data` of a `pairs_job`."""
    return Job(stage=PAIR_REPORT, params=pairs.params, needs={"data": pairs}, fingerprints=pairs.fingerprints)


def pair_sizes(
    dataset: str,
    data_dir: str | None,
    *,
    languages: str | None = None,
    train_limit: int | None = None,
    val_limit: int | None = None,
    legacy_empty_lines: bool = False,
) -> dict[str, int]:
    """Pairs of train and val after the limits, for the steps of a training; the hub's are the published ones.

    Raises:
        DataError: as `pairs_job`.
    """
    sizes = locate_pairs(dataset, data_dir, languages, legacy_empty_lines=legacy_empty_lines).sizes
    limits = {"train": train_limit, "val": val_limit}
    return {split: min(size, limits[split] or size) for split, size in sizes.items()}
