"""What a labelled document is, and the published data sets by name: which classes, and where the hub has them.

Counts of documents are the published ones, so that a plan downloads nothing. Two sets have more than two classes, and
the pairs that stand for them in the literature on attention are taken: World against Business (AG News) and baseball
against hockey (Newsgroups; Jain & Wallace, Attention is not Explanation, 2019).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from tasks.data.errors import DataError

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")

TOKEN = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:['’]\w+)*|[^\w\s]")


class Document(NamedTuple):
    """One document as it was read."""

    label: str
    """The label as the data write it; whole numbers without a decimal point."""
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


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A data set of the hub."""

    repo: str
    texts: tuple[str, ...]
    """Columns that are joined to the document."""
    label: str = "label"
    config: str | None = None
    labels: tuple[str, ...] | None = None
    """What the files of the data set write for the hub's label 0, 1, …; None: the column holds it."""
    test_documents: int | None = None
    """Where the hub has no test split: so many of its training documents, a fixed random part."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published data set."""

    hub: Hub | None
    labels: Mapping[str, tuple[int, int]]
    """Documents of train and test by label as the files write it."""
    classes: tuple[str, str] = ("0", "1")
    """Class 0 and class 1."""
    escaped_newlines: bool = False
    """Whether its texts have the two characters \\n for a line break."""


_NEWSGROUPS = {
    "alt.atheism": (480, 319),
    "comp.graphics": (584, 389),
    "comp.os.ms-windows.misc": (591, 394),
    "comp.sys.ibm.pc.hardware": (590, 392),
    "comp.sys.mac.hardware": (578, 385),
    "comp.windows.x": (593, 395),
    "misc.forsale": (585, 390),
    "rec.autos": (594, 396),
    "rec.motorcycles": (598, 398),
    "rec.sport.baseball": (597, 397),
    "rec.sport.hockey": (600, 399),
    "sci.crypt": (595, 396),
    "sci.electronics": (591, 393),
    "sci.med": (594, 396),
    "sci.space": (593, 394),
    "soc.religion.christian": (599, 398),
    "talk.politics.guns": (546, 364),
    "talk.politics.mideast": (564, 376),
    "talk.politics.misc": (465, 310),
    "talk.religion.misc": (377, 251),
}

CATALOGUE: dict[str, Published] = {
    "IMDB": Published(
        hub=Hub(repo="stanfordnlp/imdb", texts=("text",), labels=("0", "1")),
        labels={"0": (12_500, 12_500), "1": (12_500, 12_500)},
    ),
    "Furd": Published(hub=None, labels={}),
    "AG_News": Published(
        hub=Hub(repo="fancyzhx/ag_news", texts=("text",), labels=("1", "2", "3", "4")),
        labels=dict.fromkeys("1234", (30000, 1900)),
        classes=("1", "3"),
    ),
    "Newsgroups": Published(
        hub=Hub(repo="SetFit/20_newsgroups", texts=("text",), label="label_text"),
        labels=_NEWSGROUPS,
        classes=("rec.sport.baseball", "rec.sport.hockey"),
    ),
    "Yelp": Published(
        hub=Hub(repo="fancyzhx/yelp_polarity", texts=("text",), labels=("1", "2")),
        labels={"1": (280_000, 19_000), "2": (280_000, 19_000)},
        classes=("1", "2"),
        escaped_newlines=True,
    ),
    "Amzn": Published(
        hub=Hub(repo="fancyzhx/amazon_polarity", texts=("title", "content"), labels=("1", "2")),
        labels={"1": (1_800_000, 200_000), "2": (1_800_000, 200_000)},
        classes=("1", "2"),
        escaped_newlines=True,
    ),
    "SMS": Published(
        hub=Hub(
            repo="ucirvine/sms_spam",
            config="plain_text",
            texts=("sms",),
            labels=("ham", "spam"),
            test_documents=2_074,
        ),
        labels={"ham": (3_031, 1_796), "spam": (469, 278)},  # about: which are for testing is drawn
        classes=("ham", "spam"),
    ),
}

_OTHER_NAMES = {
    "stanford": "Furd",
    "amazon": "Amzn",
    "amazonpolarity": "Amzn",
    "yelppolarity": "Yelp",
    "smsspam": "SMS",
    "sns": "SMS",  # so the published README writes it once
    "20newsgroups": "Newsgroups",
}


def canonical(name: str) -> str:
    """The published name of a data set or folder, whatever case, blanks, `_` and `-` it has; any other name itself."""
    published = {plain(known): known for known in CATALOGUE} | _OTHER_NAMES
    return published.get(plain(name), name)


def same(name: str, other: str) -> bool:
    """Whether two names mean one data set."""
    return canonical(name) == canonical(other) or plain(name) == plain(other)


def plain(name: str) -> str:
    """A name without case, blanks, `_` and `-`."""
    return re.sub(r"[_\- ]", "", name).lower()
