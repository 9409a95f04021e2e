"""Text corpora: the builtin documentation, text files, or Wikipedia from the hub, as a stream of passages.

A passage is a paragraph: a line of a file or of an article that is no heading (`= x =`) and no tag of wikiextractor.
Each stands once, and none is in two parts. What is kept of a passage that has gone by is 8 bytes of its hash (some
70 bytes of memory), never its text. Used while planning: imports neither torch nor transformers nor datasets.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tasks.data import builtin_text, corpus_files, corpus_hub
from tasks.data.places import Found, Place, place_here
from tasks.training.seeds import stream_seed

BUILTIN, WIKIPEDIA = "builtin", "wikipedia"
TEST_RATIO = 0.05

Part = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class Corpus(Found):
    """A text corpus."""

    name: str
    """`builtin`, `wikipedia`, or the own name of a file or directory. Part of a job's identity."""
    has_parts: bool = False
    """Whether its files say what is for training and what for testing."""


def locate_corpus(name: str) -> Corpus:
    """Find a corpus: `builtin`, `wikipedia` (the hub's), else a text file or a directory of that name.

    Files are read once for their hash, and again only when one has changed.

    Raises:
        DataError: when there is none, it is empty, or the hub can be asked neither over the network nor in its cache.
    """
    if name == BUILTIN:
        return Corpus(name=name, kind="builtin", fingerprint=builtin_text.fingerprint())
    if name == WIKIPEDIA:
        return Corpus(name=name, kind="hub", fingerprint=corpus_hub.resolve_revision())
    return _files_corpus(Path(name).expanduser().absolute())


def corpus_here(name: str, paths: Mapping[str, str]) -> Corpus:
    """The corpus of a job on the machine that runs it; `paths` is `Corpus.places` of the plan.

    Raises:
        ValueError: when `paths` is not that.
        DataError: when the text is missing, or not the planned one.
    """
    place = place_here(f"corpus {name}", paths, lambda place: _corpus_at(name, place).fingerprint)
    return _corpus_at(name, place)


def _corpus_at(name: str, place: Place) -> Corpus:
    return place.pick(
        lambda: Corpus(name=name, kind="builtin", fingerprint=builtin_text.fingerprint()),
        _files_corpus,
        lambda commit: Corpus(name=name, kind="hub", fingerprint=commit),
    )


def _files_corpus(path: Path) -> Corpus:
    files = corpus_files.text_files(path)
    return Corpus(
        name=path.name,
        kind="files",
        fingerprint=corpus_files.fingerprint(files),
        path=str(path),
        has_parts=bool(files.test),
    )


def passages(corpus: Corpus, part: Part, *, test_ratio: float | None = TEST_RATIO, seed: int = 0) -> Iterator[str]:
    """The passages of one part, each once.

    Args:
        test_ratio: Share of the passages that are for testing, where the corpus has no parts of its own. Which they are
            depends on their text alone, neither on `seed` nor on the other passages: what one job tests on, no other
            job trains on.
        seed: Random seed for the order of the hub's articles. Files and builtin text keep their own order.

    Raises:
        ValueError: for another part, or a ratio that is needed and not between 0 and 1.
        DataError: as `corpus_files.lines` and `corpus_hub.articles`.
    """
    seen: set[int] = set()
    for passage in repeating_passages(corpus, part, test_ratio=test_ratio, seed=seed):
        mark = text_hash(passage)
        if mark not in seen:
            seen.add(mark)
            yield passage


def repeating_passages(corpus: Corpus, part: Part, *, test_ratio: float | None, seed: int) -> Iterator[str]:
    """The passages of one part with their repetitions, for those who drop them with less memory; see `passages`."""
    if part not in ("train", "test"):
        raise ValueError(f"no part is called {part!r}; choose train or test")
    if corpus.has_parts:
        files = corpus_files.text_files(Path(str(corpus.path)))
        if part == "test":
            return _of_files(files.test)
        tested = {text_hash(passage) for passage in _of_files(files.test)}
        return (passage for passage in _of_files(files.train) if text_hash(passage) not in tested)
    if test_ratio is None or not 0.0 < test_ratio < 1.0:
        raise ValueError(f"test_ratio is {test_ratio}; expected a share between 0 and 1 of a corpus without own parts")
    limit, key = int(test_ratio * 2**64), hash_key(0, "corpus", "test")
    wanted = part == "test"
    return (passage for passage in _all(corpus, seed) if (text_hash(passage, key) < limit) == wanted)


def hash_key(seed: int, *names: str | int) -> bytes:
    """A key for `text_hash`: a random stream that is drawn from by text instead of by turn."""
    return stream_seed(seed, *names).to_bytes(8, "big")


def text_hash(text: str, key: bytes = b"") -> int:
    """64 bits that stand for a text, uniform and under different keys independent. Two of a hundred million texts share
    theirs with a probability of 3e-4."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, key=key).digest(), "big")


def is_passage(line: str) -> bool:
    """Whether a line without blanks around it is text: no heading (`= x =`) and no tag (`<doc id=…>`, `</doc>`).

    A line that begins with `<unk>` is text: so wikitext writes a rare word.
    """
    if not line or (line.startswith("=") and line.endswith("=")):
        return False
    return not line.startswith("<") or line.startswith("<unk>")


def _all(corpus: Corpus, seed: int) -> Iterator[str]:
    return corpus.place.pick(
        builtin_text.passages,
        lambda path: _of_files(corpus_files.text_files(path).train),
        lambda commit: _of_articles(corpus_hub.articles(commit, seed)),
    )


def _of_articles(articles: Iterable[str]) -> Iterator[str]:
    for article in articles:
        yield from (line for line in map(str.strip, article.split("\n")) if is_passage(line))


def _of_files(files: Iterable[Path]) -> Iterator[str]:
    for path in files:
        yield from (line for line in corpus_files.lines(path) if is_passage(line))
