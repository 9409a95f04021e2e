"""The stage `documents` as the plan sees it: its parameters, its Stage and the job of a corpus. Imports no torch.

A tokenised corpus is an artifact that all jobs of the same corpus and tokenizer share, whatever lengths and seeds they
have.
"""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Lt

from orchestrator.experiment import Job, Stage
from orchestrator.limits import Limited, Positive
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
