"""The stage `documents` as the plan sees it: its parameters, its Stage and the job of a corpus. Imports no torch.

A tokenised corpus is an artifact that all jobs of the same corpus and tokenizer share, whatever lengths and seeds they
have.
"""

from dataclasses import dataclass

from orchestrator.experiment import Job, Stage
from tasks.data.corpus import TEST_RATIO, locate_corpus
from tasks.data.tokenizers import locate_tokenizer

LONGEST_SENTENCE = 512


@dataclass(frozen=True, kw_only=True)
class DocumentsParams:
    """Everything that shapes the tokens of the documents, beside the fingerprint of the corpus."""

    corpus: str
    """Its name; the own name of a file or directory."""
    tokenizer: str
    tokenizer_revision: str
    """Hash of its content, or the hub's commit."""
    test_ratio: float | None = None
    """Share of the documents that is `test` (published: 10 of 1,000); None for a corpus that has parts of its own."""
    document_limit: int | None = None
    """Read no further than to this many documents for training: the hub's come shuffled, those of files do not."""
    longest_sentence: int = LONGEST_SENTENCE
    """A document with a sentence of more tokens is left out (published: 512)."""
    seed: int = 0
    """Of the order of the hub's articles."""

    def __post_init__(self):
        if self.test_ratio is not None and not 0.0 < self.test_ratio < 1.0:
            raise ValueError(f"test_ratio is {self.test_ratio}; expected a share between 0 and 1")
        if self.document_limit is not None and self.document_limit < 1:
            raise ValueError(f"document_limit is {self.document_limit}; expected at least 1, or None for all documents")
        if self.longest_sentence < 1:
            raise ValueError(f"longest_sentence is {self.longest_sentence}; expected at least 1")


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
    longest_sentence: int = LONGEST_SENTENCE,
    seed: int = 0,
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
        longest_sentence=longest_sentence,
        seed=seed,
    )
    paths = place.places | ({"tokenizer": ref.path} if ref.path else {})
    return Job(stage=DOCUMENTS, params=params, fingerprints={place.name: place.fingerprint}, paths=paths)
