"""What a labelled document is, whatever file, hub or generator it comes from, and how text becomes tokens."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from tasks.data.errors import DataError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")

TOKEN = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:['’]\w+)*|[^\w\s]")


class Document(NamedTuple):
    """One document as it was read."""

    label: str
    """As the data write it; whole numbers without a decimal point."""
    text: str | Sequence[str]
    """Raw text, or the tokens of data that come tokenised."""
    place: str
    """Where it stands, for messages: `file:line`, or what a reader can find."""


Documents = Iterator[Document]


def tokens(text: str | Sequence[str]) -> Sequence[str]:
    """Tokens of a document: of raw text the lower-cased words, numbers and single punctuation marks.

    A word is letters, digits and underscores with apostrophes inside (`don't`); a number keeps its points and commas
    (`1,000.5`); every other mark stands alone. Data that come tokenised stay as they are.
    """
    return TOKEN.findall(text.lower()) if isinstance(text, str) else text


def written_label(value: Any, place: str) -> str:
    """A label as text: 1, 1.0 and True are `1`, and text loses the blanks around it.

    Raises:
        DataError: for anything that is neither a number nor text, and for empty text.
    """
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise DataError(f"{place}: the label is {value!r}; expected 0 or 1, or the name of a class")
