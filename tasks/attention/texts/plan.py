"""The stages `text_tokens` and `text_report` as the plan sees them, and the job of a data set. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

import pyarrow as pa
from annotated_types import Ge

from orchestrator.experiment import Job, Stage, TableSpec, column
from orchestrator.limits import Limited, Positive, require, shared
from tasks.attention.texts.sources import locate_texts, two_classes
from tasks.attention.texts.vectors import locate_vectors

LEAST = 3  # <bos>, one token, <eos>


@dataclass(frozen=True, kw_only=True)
class TextOptions(Limited):
    """Which documents of a data set are used, and how much of them."""

    test_limit: Positive | None = 4000  # published
    """Maximum number of test documents; a smaller limit's are among a larger one's."""
    train_limit: Positive | None = None
    """Maximum number of training documents, a fixed random part: a smaller limit's are among a larger one's."""
    max_length: Annotated[int, Ge(LEAST)] | None = None
    """Maximum length of a document in tokens, begin and end included; None: as published, none."""
    legacy_order: bool = False
    """Test on the first documents of the file, as published, instead of a fixed random part."""

    def limit(self, split: str) -> int | None:
        return self.train_limit if split == "train" else self.test_limit


@dataclass(frozen=True, kw_only=True)
class _Classes(Limited):
    dataset: str
    """Name of the data set."""
    class_zero: str
    """Label, as the data write it, of class 0; documents of no chosen class are left out."""
    class_one: str
    """Label of class 1."""


@dataclass(frozen=True, kw_only=True)
class TextTokensParams(TextOptions, _Classes):
    """Everything that shapes the ids of a data set, beside the data's fingerprint."""

    def __post_init__(self):
        super().__post_init__()
        require(self.class_zero != self.class_one, "classes", (self.class_zero, self.class_one), "two labels")


DATA = TableSpec(
    schema=pa.schema(
        [
            column("split", pa.string(), "train or test"),
            column("documents", pa.int64(), "documents that are used"),
            column("documents_found", pa.int64(), "documents of the two classes before the limit"),
            column("other_classes", pa.int64(), "documents of neither class, which are left out"),
            column("tokens", pa.int64(), "tokens, <bos> and <eos> included"),
            column("longest", pa.int64(), "tokens of the longest document"),
            column("vocabulary", pa.int64(), "vocabulary size, the four special tokens included"),
            column("class_one_share", pa.float64(), "share of documents of class 1"),
            column("unknown_share", pa.float64(), "share of tokens that are <unk>, of all but <bos> and <eos>"),
            column("cut", pa.int64(), "documents that were cut to max_length"),
            column("empty", pa.int64(), "documents without a token, used as <bos> <eos>"),
            column("first_empty", pa.string(), "place of the first document without a token; empty if there is none"),
        ]
    ),
    key=("split",),
    doc="Documents that a classifier was trained and tested on.",
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
    word_vectors: str | None = None,
    options: TextOptions | None = None,
) -> Job:
    """The job that makes the ids of a data set. Where data lie is no part of its identity; what is in them is.

    Args:
        dataset: `topics` (builtin), one of `catalogue.CATALOGUE`, or any name with files in `data_dir`.
        data_dir: The directory with the data set's files or folder, or that folder itself; None reads the hub.
        classes: The two labels, as the data write them, of class 0 and class 1; None where labels are 0 and 1 or the
            data set has published ones.
        word_vectors: A text file with a word and its vector a line (GloVe's form). Its words stay in the vocabulary
            however rare they are, and the artifact keeps their vectors.
        options: Which documents are used; the defaults where none are given.

    Raises:
        DataError: when data are missing or bad, or their labels are not binary and no classes are given.
    """
    source = locate_texts(dataset, data_dir)
    zero, one = two_classes(source, classes)
    chosen = shared(options or TextOptions(), TextTokensParams)
    params = TextTokensParams(**chosen, dataset=source.task, class_zero=zero, class_one=one)
    fingerprints, paths = {source.task: source.fingerprint}, source.places
    if word_vectors is not None:
        place, fingerprints["word_vectors"] = locate_vectors(word_vectors)
        paths = paths | {"vectors": place, "vectors_fingerprint": fingerprints["word_vectors"]}
    return Job(stage=TEXT_TOKENS, params=params, fingerprints=fingerprints, paths=paths)


def text_report_job(texts: Job) -> Job:
    """The job that writes the table `data` of a `texts_job`."""
    return Job(stage=TEXT_REPORT, params=texts.params, needs={"data": texts}, fingerprints=texts.fingerprints)


def text_sizes(texts: Job, data_dir: str | None) -> dict[str, int]:
    """Documents of train and test of a `texts_job` after the limits, for the cost of a plan; the hub's are published.

    Raises:
        DataError: as `texts_job`.
    """
    params = texts.params
    source = locate_texts(params.dataset, data_dir)
    found = {
        s: sum(n.get(label, 0) for label in (params.class_zero, params.class_one)) for s, n in source.labels.items()
    }
    return {split: min(size, params.limit(split) or size) for split, size in found.items()}
