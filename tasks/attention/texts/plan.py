"""The stages `text_tokens` and `text_report` as the plan sees them, and the job of a data set. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Job, Stage, TableSpec, column
from tasks.attention.texts.sources import locate_texts, two_classes
from tasks.attention.texts.vectors import locate_vectors

TEST_LIMIT = 4000  # the published cap (attention_dynamics 2.1)
LEAST = 3  # <bos>, one token, <eos>


@dataclass(frozen=True, kw_only=True)
class TextTokensParams:
    """Everything that shapes the ids of a data set, beside the data's fingerprint."""

    dataset: str
    class_zero: str
    """The label, as the data write it, of what is class 0; documents of no chosen class are left out."""
    class_one: str
    test_limit: int | None = TEST_LIMIT
    """At most this many test documents; a smaller limit's are among a larger one's."""
    train_limit: int | None = None
    """At most this many training documents, a fixed random part: a smaller limit's are among a larger one's."""
    max_length: int | None = None
    """Tokens of a document, `<bos>` and `<eos>` included; longer ones are cut at their end. None: as published, all."""
    legacy_order: bool = False
    """Test on the first documents of the file, as published, instead of a fixed random part (quirk C5)."""

    def __post_init__(self):
        for name in ("test_limit", "train_limit"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} is {limit}; expected at least 1, or None for all documents")
        if self.max_length is not None and self.max_length < LEAST:
            raise ValueError(f"max_length is {self.max_length}; expected at least {LEAST}, or None for no limit")
        if self.class_zero == self.class_one:
            raise ValueError(f"both classes are {self.class_zero!r}; give two labels")

    def limit(self, split: str) -> int | None:
        return self.train_limit if split == "train" else self.test_limit


DATA = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "train or test"),
            column("documents", pa.int64(), "documents that are used"),
            column("documents_found", pa.int64(), "documents of the two classes before the limit"),
            column("other_classes", pa.int64(), "documents that were left out as of neither class"),
            column("tokens", pa.int64(), "tokens, <bos> and <eos> included"),
            column("longest", pa.int64(), "tokens of the longest document"),
            column("vocabulary", pa.int64(), "tokens that have an id, the four special ones included"),
            column("class_one_share", pa.float64(), "share of documents of class 1"),
            column("unknown_share", pa.float64(), "share of tokens that are <unk>, of all but <bos> and <eos>"),
            column("cut", pa.int64(), "documents that were cut to max_length"),
            column("empty", pa.int64(), "documents without a token, used as <bos> <eos>"),
            column("first_empty", pa.string(), "where the first of those stands; empty where there is none"),
        ]
    ),
    key=("split",),
    doc="What a classification was trained and tested on.",
)

TEXT_TOKENS = Stage(
    name="text_tokens", function="tasks.attention.texts.stages:text_tokens", params=TextTokensParams, artifact=True
)
TEXT_REPORT = Stage(
    name="text_report",
    function="tasks.attention.texts.stages:text_report",
    params=TextTokensParams,
    tables={"data": DATA},
)


def texts_job(
    dataset: str,
    data_dir: str | None,
    *,
    classes: tuple[str, str] | None = None,
    test_limit: int | None = TEST_LIMIT,
    train_limit: int | None = None,
    max_length: int | None = None,
    word_vectors: str | None = None,
    legacy_order: bool = False,
) -> Job:
    """The job that makes the ids of a data set. Where data lie is no part of its identity; what is in them is.

    Args:
        dataset: `topics` (builtin), one of `catalogue.CATALOGUE`, or any name with files in `data_dir`.
        data_dir: The directory with the data set's files or folder, or that folder itself; None reads the hub.
        classes: The two labels, as the data write them, of class 0 and class 1; None where labels are 0 and 1 or the
            data set has published ones.
        word_vectors: A text file with a word and its vector a line (GloVe's form). Its words stay in the vocabulary
            however rare they are (attention_dynamics 2.2), and the artifact keeps their vectors.

    Raises:
        ValueError: for a bad limit.
        DataError: when data are missing or bad, or their labels are not binary and no classes are given.
    """
    source = locate_texts(dataset, data_dir)
    zero, one = two_classes(source, classes)
    params = TextTokensParams(
        dataset=source.dataset,
        class_zero=zero,
        class_one=one,
        test_limit=test_limit,
        train_limit=train_limit,
        max_length=max_length,
        legacy_order=legacy_order,
    )
    fingerprints, paths = {source.dataset: source.fingerprint}, source.places
    if word_vectors is not None:
        vectors = locate_vectors(word_vectors)
        fingerprints["word_vectors"] = vectors.fingerprint
        paths = paths | {"vectors": vectors.path, "vectors_fingerprint": vectors.fingerprint}
    return Job(stage=TEXT_TOKENS, params=params, fingerprints=fingerprints, paths=paths)


def text_report_job(texts: Job) -> Job:
    """The job that writes the table `data` of a `texts_job`."""
    return Job(stage=TEXT_REPORT, params=texts.params, needs={"data": texts}, fingerprints=texts.fingerprints)


def text_sizes(
    dataset: str,
    data_dir: str | None,
    *,
    classes: tuple[str, str] | None = None,
    test_limit: int | None = TEST_LIMIT,
    train_limit: int | None = None,
) -> dict[str, int]:
    """Documents of train and test after the limits, for the cost of a plan; the hub's are the published ones.

    Raises:
        DataError: as `texts_job`.
    """
    source = locate_texts(dataset, data_dir)
    chosen = two_classes(source, classes)
    sizes = {}
    for split, limit in (("train", train_limit), ("test", test_limit)):
        found = sum(source.labels[split].get(label, 0) for label in chosen)
        sizes[split] = found if limit is None else min(found, limit)
    return sizes
