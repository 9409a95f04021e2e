"""English Wikipedia from the hub data set `wikimedia/wikipedia`, by commit, as a stream: it is not downloaded whole."""

from collections.abc import Iterator

from models import hub
from tasks.data.errors import DataError

REPO = "wikimedia/wikipedia"
CONFIG = "20231101.en"  # the newest English dump of that data set
BUFFER = 1_000  # articles that are shuffled among each other, some 3 MB; the files of the data set are shuffled, too

REMEDY = "give a directory of text files instead (for example what wikiextractor makes of a dump), or builtin"


def resolve_revision() -> str:
    """The commit of the hub data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither.
    """
    try:
        return hub.commit(REPO, "dataset")
    except hub.HubUnavailable as problem:
        raise DataError(f"the hub data set {REPO} is missing ({problem}); {REMEDY}") from problem


def articles(revision: str, seed: int) -> Iterator[str]:
    """The texts of the articles at one commit, in a random order that `seed` fixes.

    Raises:
        DataError: when they cannot be read, or have no column `text`.
    """
    import datasets

    where = f"{REPO} ({CONFIG}, {revision[:12]})"
    try:
        stream = datasets.load_dataset(REPO, CONFIG, split="train", revision=revision, streaming=True)
        for row in stream.shuffle(seed=seed, buffer_size=BUFFER):
            yield row["text"]
    except Exception as problem:  # of the hub, the network or the data: the remedy is one
        reason = f"{type(problem).__name__}: {' '.join(str(problem).split())}"
        raise DataError(f"{where} cannot be read ({reason}); {REMEDY}") from problem
