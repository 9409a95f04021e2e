"""English sentences that every CPython ships: the prose of `pydoc_data.topics`, about 465,000 characters of reST.

The text is documentation in plain-text form: prose wrapped at 70 columns between code, grammar, tables and lists.
Rules, not a parser, keep the prose. What they let through is right most of the time, which is all that a smoke test of
the science needs; that it is the same on every run matters more.
"""

import functools
import hashlib
import itertools
import re
from collections.abc import Iterator

from tasks.data.errors import DataError

VERSION = 1  # raise it when the rules below change

MIN_WORDS, MAX_WORDS = 5, 40
MAX_ODD_WORDS = 0.2  # share of words with digits, dots, brackets …: above it a "sentence" is a signature or a formula

_NO_PROSE = ("::=", ">>>", "***", "===", "---", "~~~", "|", "+-", "\\n")  # grammar, sessions, rules of tables, headings
_NO_SENTENCE = ("Changed in", "New in", "Added in", "Deprecated", "See also")
_BULLET = re.compile(r"^(\s*)(\*|-|•|\(?[0-9a-z]{1,2}[.)])(\s+)")
_EMPHASIS = re.compile(r"\*{1,2}([A-Za-z_][\w, ]*)\*{1,2}")
_BORDER = re.compile(r"(?<=[.!?])[\"”)]?\s+(?=[A-Z\"“(])")
_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*$")
_TRIM = '.,;:()"?!“”‘’'


def sentences() -> list[tuple[str, int, str]]:
    """All sentences as (topic, number of the paragraph in the topic, sentence), in the order of the text.

    A sentence has 5 to 40 words, begins with a capital and ends in a full stop, question or exclamation mark. Each
    stands once, under the first topic that has it; other capitals or marks do not make it another sentence.

    Raises:
        DataError: when this Python comes without `pydoc_data` or it has no prose.
    """
    return list(_sentences())


def passages() -> Iterator[str]:
    """The sentences of each paragraph joined by blanks, in the order of the text: a thousand short passages.

    Raises:
        DataError: as `sentences`.
    """
    for _, located in itertools.groupby(_sentences(), key=lambda located: located[:2]):
        yield " ".join(sentence for _, _, sentence in located)


@functools.cache
def fingerprint() -> str:
    """First 16 hex digits of SHA-256 over the text and the version of the rules. The text differs between Pythons."""
    digest = hashlib.sha256(f"{VERSION}\n".encode())
    for topic, text in _topics().items():
        digest.update(f"{topic} {len(text)}\n{text}".encode())
    return digest.hexdigest()[:16]


def paragraphs(text: str) -> list[str]:
    """Pieces of prose or code between blank lines; an item of a list is a piece, without its bullet."""
    found: list[list[str]] = []
    fresh = True
    for line in text.splitlines():
        if not line.strip():
            fresh = True
            continue
        bullet = _BULLET.match(line)
        if bullet:
            line = " " * bullet.end() + line[bullet.end() :]
        if fresh or bullet:
            found.append([])
        found[-1].append(line)
        fresh = False
    return ["\n".join(_without_term(lines)) for lines in found]


def _without_term(lines: list[str]) -> list[str]:
    """A definition's first line, less indented than its text, is a term or a signature and no part of a sentence."""
    indents = [len(line) - len(line.lstrip()) for line in lines]
    return lines[1:] if len(lines) > 1 and indents[0] < indents[1] else lines


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph that are prose, with single blanks and without emphasis marks."""
    if any(mark in paragraph for mark in _NO_PROSE):
        return []
    text = _EMPHASIS.sub(r"\1", " ".join(paragraph.split()))
    return [sentence for sentence in _BORDER.split(text) if is_prose(sentence)]


def is_prose(sentence: str) -> bool:
    words = sentence.split()
    if not MIN_WORDS <= len(words) <= MAX_WORDS:
        return False
    if not sentence[0].isupper() or sentence[-1] not in ".!?" or sentence.startswith(_NO_SENTENCE):
        return False
    odd = sum(not _WORD.match(word.strip(_TRIM)) for word in words)
    return odd <= MAX_ODD_WORDS * len(words)


def _topics() -> dict[str, str]:
    try:
        from pydoc_data.topics import topics
    except ImportError as problem:
        raise DataError(
            "this Python has no pydoc_data.topics, the text of the builtin data; use a complete CPython, "
            "or give real data with --data-dir DIR"
        ) from problem
    return topics


@functools.cache
def _sentences() -> tuple[tuple[str, int, str], ...]:
    seen: set[str] = set()
    found: list[tuple[str, int, str]] = []
    for topic, text in _topics().items():
        for number, paragraph in enumerate(paragraphs(text)):
            for sentence in split_sentences(paragraph):
                key = re.sub(r"[^a-z0-9]+", " ", sentence.lower()).strip()
                if key not in seen:
                    seen.add(key)
                    found.append((topic, number, sentence))
    if not found:
        raise DataError("pydoc_data.topics of this Python has no prose; give real data with --data-dir DIR")
    return tuple(found)
