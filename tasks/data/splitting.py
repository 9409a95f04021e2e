"""Sentence borders by a small rule, for prose and for wikitext's form with blanks before marks (`the end . The next`).

A border is a run of `.`, `!` or `?`, then marks that close a quotation or a bracket, then blanks, before anything but a
small letter. A full stop that touches its word is none after an initial (`J. Smith`), a word with stops inside (`U.S.`)
or one of a few abbreviations (`Dr.`): in doubt two sentences are taken for one.
"""

import re
from collections.abc import Iterator

_TITLES = "adm capt cmdr col dr fr gen gov hon jr lt maj mr mrs ms mt mts prof pt rev sen sgt sr st ste"
_OTHERS = "al approx ave bros cf co corp dept ed eds etc est ft inc ltd sq trans vs"
_NUMBERED = "art c ca ch fig figs fl no nos op p pp v vol vols"

ABBREVIATIONS = frozenset(f"{_TITLES} {_OTHERS}".split())
NUMBERED = frozenset(_NUMBERED.split())
"""Abbreviations where a number follows, and often words or ends of sentences where none does."""

_END = re.compile(r"(?<![.!?])([.!?]++)([”’)\]]|\s+[”)\]](?=\s|$)|\s*[\"'](?=\s|$))*(?=\s)")
_OPENING = "([{“‘\"'"
_NEAR = 64  # characters that are looked at on each side of a mark, so that a passage costs time as its length


def sentences(text: str) -> Iterator[str]:
    """The sentences of a passage in their order, without blanks around them. Together they are the whole passage.

    A straight quotation mark behind the full stop belongs to the sentence in which it closes, that is where it is the
    second, fourth, … of that sentence.
    """
    start = counted = n_quotes = 0
    for match in _END.finditer(text):
        end = match.end()
        n_quotes += text.count('"', counted, end)
        counted = end
        opens = n_quotes % 2 == 1 and '"' in text[match.end(1) : end]
        if opens:
            end = text.rindex('"', 0, end)  # it opens the next sentence
        if _is_border(text, start, match.start(), match[1], end):
            yield text[start:end].strip()
            start, n_quotes = end, int(opens)
    if text[start:].strip():
        yield text[start:].strip()


def _is_border(text: str, start: int, mark: int, run: str, end: int) -> bool:
    following = text[end : end + _NEAR].lstrip().lstrip(_OPENING).lstrip()[:1]
    if not following or following.islower() or not text[start : min(mark, start + _NEAR)].strip():
        return False
    before = text[max(start, mark - _NEAR) : mark]
    word = "" if before[-1:].isspace() else before.split()[-1]
    return run != "." or not _shortens(word.lstrip(_OPENING), following)


def _shortens(word: str, following: str) -> bool:
    """Whether a full stop directly behind this word is likely its own; an empty word has a blank before the stop."""
    if word.lower() in NUMBERED and following.isdigit():
        return True
    return (len(word) == 1 and word.isalpha() and word != "I") or "." in word or word.lower() in ABBREVIATIONS
