"""The data set `topics` of the builtin sentences: does a document tell of statements (0) or of types of data (1)?

A document is two neighbouring sentences of one documentation topic (one where a topic has no more); the topics fall
into two groups by what they tell of. Sentences of train and test are others, as in all builtin tasks.
"""

import functools
import hashlib
import itertools
import json

from tasks.attention.texts.catalogue import SPLITS, Document
from tasks.data.builtin import split_sentences

NAME = "topics"
LENGTH = 2  # sentences of a document: of one alone, counted words tell the group in 80 % of the cases, of two in 85 %

STATEMENTS = frozenset(
    (
        *("assert", "assignment", "async", "await", "break", "calls", "compound", "context-managers", "continue"),
        *("debugger", "del", "exceptions", "execmodel", "global", "import", "nonlocal", "raise", "return", "yield"),
    )
)
DATA = frozenset(
    (
        *("dict", "formatstrings", "lists", "sequence-types", "string-methods", "strings"),
        *("types", "typesmapping", "typesmethods", "typesseq"),
    )
)


@functools.cache
def documents(split: str) -> tuple[Document, ...]:
    """The documents of a split, the same on every machine with the same Python text.

    Raises:
        DataError: as `builtin_text.sentences`.
    """
    part = "dev" if split == "test" else split
    found = []
    for topic, group in itertools.groupby(split_sentences(part), key=lambda located: located[0]):
        if topic not in STATEMENTS | DATA:
            continue
        sentences = [sentence for _, _, sentence in group]
        for i in range(max(1, len(sentences) - LENGTH + 1)):
            place = f"builtin topic {topic}, sentence {i + 1} of {split}"
            found.append(Document("1" if topic in DATA else "0", " ".join(sentences[i : i + LENGTH]), place))
    return tuple(found)


@functools.cache
def fingerprint() -> str:
    """First 16 hex digits of SHA-256 over the documents themselves."""
    content = json.dumps([[split, [(d.label, d.text) for d in documents(split)]] for split in SPLITS])
    return hashlib.sha256(content.encode()).hexdigest()[:16]
