"""The documents of a corpus in a stream: what belongs together and is told apart from the rest.

A document is a topic of the builtin text, an article of the hub or of wikiextractor, and of other text files a file, or
in files of wikitext's form what stands under a heading of the first order (`= Title =`). Its passages are those of
`tasks.data.corpus`; as published, none is dropped because it stands twice.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks.data import builtin_text, corpus_files, corpus_hub
from tasks.data.corpus import Corpus, Part, hash_key, is_passage, text_hash

LONGEST = 1 << 20  # characters: what is longer (a file without headings) goes on as another document

_TITLE = re.compile(r"=\s*[^=\s](.*[^=\s])?\s*=")
_ARTICLE = re.compile(r"<doc\s")

Document = list[str]
"""The passages of a document in their order."""


def documents_of(corpus: Corpus, *, test_ratio: float | None, seed: int) -> Iterator[tuple[Part, Document]]:
    """All documents with the part that each is in: those for testing first where the corpus has own parts, else as they
    come, those of the hub in the order of `seed`.

    Of a corpus without own parts the share `test_ratio` of the documents is for testing. Which they are depends on
    their text alone. No document is in two parts: where own parts share one, training does without it.

    Raises:
        ValueError: a ratio that is needed and not between 0 and 1.
        DataError: as `corpus_files.lines` and `corpus_hub.articles`.
    """
    if corpus.has_parts:
        files, tested = corpus_files.text_files(_path(corpus)), set[int]()
        for document in _of_files(files.test):
            tested.add(_hash(document))
            yield "test", document
        for document in _of_files(files.train):
            if _hash(document) not in tested:
                yield "train", document
        return
    if test_ratio is None or not 0.0 < test_ratio < 1.0:
        raise ValueError(f"test_ratio is {test_ratio}; expected a share between 0 and 1 of a corpus without own parts")
    limit, key = int(test_ratio * 2**64), hash_key(0, "documents", "test")
    for document in _all(corpus, seed):
        yield "test" if _hash(document, key) < limit else "train", document


def cut_at_titles(lines: Iterable[str]) -> Iterator[Document]:
    """The documents in the lines of a file, none of them empty."""
    found, size = [], 0
    for line in lines:
        if found and (_TITLE.fullmatch(line) or _ARTICLE.match(line) or size >= LONGEST):
            yield found
            found, size = [], 0
        if is_passage(line):
            found.append(line)
            size += len(line)
    if found:
        yield found


def _all(corpus: Corpus, seed: int) -> Iterator[Document]:
    if corpus.kind == "builtin":
        for _, of_topic in itertools.groupby(builtin_text.sentences(), key=lambda located: located[0]):
            paragraphs = itertools.groupby(of_topic, key=lambda located: located[1])
            yield [" ".join(sentence for _, _, sentence in located) for _, located in paragraphs]
    elif corpus.kind == "hub":
        for article in corpus_hub.articles(corpus.fingerprint, seed):
            lines = [line for line in map(str.strip, article.split("\n")) if is_passage(line)]
            if lines:
                yield lines
    else:
        yield from _of_files(corpus_files.text_files(_path(corpus)).train)


def _path(corpus: Corpus) -> Path:
    if corpus.path is None:
        raise ValueError(f"the corpus {corpus.name} is of kind files and has no path")
    return Path(corpus.path)


def _of_files(files: Iterable[Path]) -> Iterator[Document]:
    for path in files:
        yield from cut_at_titles(corpus_files.lines(path))


def _hash(document: Document, key: bytes = b"") -> int:
    return text_hash("\n".join(document), key)
