"""The stage `documents` as the plan sees it: its parameters, its Stage and the job of a corpus. Imports no torch.

A tokenised corpus is an artifact that all jobs of the same corpus and tokenizer share, whatever lengths and seeds they
have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Gt, Lt

from orchestrator.experiment import Job, Stage
from orchestrator.limits import Limited, Positive, require
from tasks.data.corpus import TEST_RATIO, locate_corpus
from tasks.data.tokenizers import locate_tokenizer


@dataclass(frozen=True, kw_only=True)
class DocumentLimit(Limited):
    """How much of a corpus is read."""

    document_limit: Positive | None = None
    """Maximum number of training documents: the first ones. The hub's come shuffled, those of files do not."""


@dataclass(frozen=True, kw_only=True)
class _Corpus(Limited):
    corpus: str
    """Name of the corpus; the own name of a file or directory."""
    tokenizer: str
    """Name of the tokenizer; the own name of a directory."""
    tokenizer_revision: str
    """Hash of its content, or the hub's commit."""
    test_ratio: Annotated[float, Gt(0), Lt(1)] | None = None
    """Fraction of the documents that is `test` (published: 10 of 1,000); None for a corpus that has splits."""


@dataclass(frozen=True, kw_only=True)
class DocumentsParams(DocumentLimit, _Corpus):
    """Everything that shapes the tokens of the documents, beside the fingerprint of the corpus."""

    longest_sentence: Positive = 512
    """A document with a sentence of more tokens is left out (published: 512)."""
    seed: int = 0
    """Random seed of the order of the hub's articles."""


DOCUMENTS = Stage(
    name="documents",
    function="tasks.deepscale.pretraining_text.documents:documents",
    params=DocumentsParams,
    artifact=True,
)


def documents_job(
    corpus: str,
    tokenizer: str,
    *,
    test_ratio: float = TEST_RATIO,
    document_limit: int | None = None,
) -> Job:
    """The job that tokenises a corpus for pretraining. Where corpus and tokenizer lie is no part of its identity.

    Raises:
        ValueError: for a bad number.
        DataError: when corpus or tokenizer are missing.
    """
    place, ref = locate_corpus(corpus), locate_tokenizer(tokenizer)
    params = DocumentsParams(
        corpus=place.name,
        tokenizer=ref.name,
        tokenizer_revision=ref.revision,
        test_ratio=None if place.has_parts else test_ratio,
        document_limit=document_limit,
    )
    paths = place.places | ({"tokenizer": ref.path} if ref.path else {})
    return Job(stage=DOCUMENTS, params=params, fingerprints={place.name: place.fingerprint}, paths=paths)


MIN_LENGTH = 8  # three special tokens and some text


def check_batches(*, length: int, global_batch: int, micro_batch: int, workers: int = 1) -> None:
    """Refuse numbers, 1 or more, that do not go together.

    Raises:
        ValueError: with the numbers and what to give instead.
    """
    require(length >= MIN_LENGTH, "length", length, f"at least {MIN_LENGTH}, three special tokens and some text")
    remedy = f"a number that divides the global batch of {global_batch}: {_divisors(global_batch)}"
    require(global_batch % micro_batch == 0, "micro_batch", micro_batch, remedy)
    n_micro = global_batch // micro_batch
    remedy = (
        f"a number that divides the {n_micro} micro-batches of {micro_batch} in a global batch of {global_batch}: "
        f"{_divisors(n_micro)}; or another --micro-batch"
    )
    require(n_micro % workers == 0, "workers", workers, remedy)


def check_vocabulary(meta: Mapping[str, Any], vocab_size: int) -> None:
    """Refuse documents with ids that a model does not have; `meta` is `Documents.meta`.

    Raises:
        ValueError: with both numbers.
    """
    if meta["vocab_size"] > vocab_size:
        raise ValueError(
            f"the tokenizer {meta['tokenizer']} of the documents has {meta['vocab_size']} ids and the model a "
            f"vocabulary of {vocab_size}; give the model at least as many, or documents of its own tokenizer"
        )


def _divisors(number: int) -> str:
    return ", ".join(str(n) for n in range(1, number + 1) if number % n == 0)
