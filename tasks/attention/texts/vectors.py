"""Pretrained word vectors as a text file: a word and its numbers a line, as GloVe and fastText publish them.

Published code reads a pickled dictionary instead, which could run any code and is refused here.

D numbers of a vector.
"""

import functools
from collections.abc import Collection
from pathlib import Path

import numpy as np

from tasks.attention.texts.parsing import content_hash
from tasks.data.errors import DataError
from tasks.data.places import State, file_states

PICKLED = (".pkl", ".pickle", ".p")


def locate_vectors(path: str) -> tuple[str, str]:
    """Find a file of vectors: its absolute path, and its hash, taken again only when it has changed.

    Raises:
        DataError: no such file, an empty one, or a pickle.
    """
    place = Path(path).expanduser().absolute()
    if place.suffix in PICKLED:
        raise DataError(
            f"{place}: pickled vectors are not opened, since they can run code; give a text file, one word "
            "and its vector a line"
        )
    if not place.is_file():
        raise DataError(f"{place}: no such file; give --word-vectors a text file, one word and its vector a line")
    if place.stat().st_size == 0:
        raise DataError(f"{place}: an empty file; expected one word and its vector a line")
    return str(place), _hashed(place, file_states([place]))


def read_vectors(path: Path, words: Collection[str]) -> dict[str, np.ndarray]:
    """The vectors, float32 [D], of those of `words` that the file has; the file is read a line at a time.

    Where a word stands twice its first vector counts. A first line of two whole numbers (fastText's head) is passed
    over.

    Raises:
        DataError: bytes that are not UTF-8, another length than the first line's, something that is no finite number;
            with file and line.
    """
    found: dict[str, np.ndarray] = {}
    width = None
    with open(path, "rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                fields = raw.decode().rstrip().split(" ")
            except UnicodeDecodeError as problem:
                raise DataError(
                    f"{path}:{number}: byte 0x{raw[problem.start]:02x} is not UTF-8; expected text, one word and its "
                    "vector a line"
                ) from None
            if number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
                continue
            if width is None:
                width = len(fields) - 1
            if width < 1 or len(fields) <= width:
                raise DataError(
                    f"{path}:{number}: {len(fields) - 1} numbers after the word, expected {width or 'some'}"
                )
            word = " ".join(fields[:-width])  # a few published words have blanks inside
            if word not in words or word in found:
                continue
            try:
                vector = np.array(fields[-width:], dtype=np.float32)
            except ValueError as problem:
                raise DataError(f"{path}:{number}: {problem}; expected {width} numbers after the word") from None
            if not np.isfinite(vector).all():
                raise DataError(f"{path}:{number}: a number that is not finite; mend or remove the line")
            found[word] = vector
    return found


@functools.cache
def _hashed(path: Path, state: State) -> str:
    return content_hash([("", path)])
