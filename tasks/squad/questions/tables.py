"""The paragraphs and questions of an artifact of the stage `squad_windows`, as arrays and lists.

Letters: Q questions, P paragraphs, S tokens of all paragraphs or questions end to end.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data.artifacts import list_values, read_table


@dataclass(frozen=True, kw_only=True)
class Paragraphs:
    """P contexts and their tokens end to end."""

    contexts: list[str]
    articles: list[str]
    input_ids: np.ndarray
    """int32 [S]."""
    char_starts: np.ndarray
    """int32 [S]: a token is context[char_starts : char_ends], without blanks around it."""
    char_ends: np.ndarray
    """int32 [S]."""
    offsets: np.ndarray
    """int64 [P+1]: the tokens of paragraph p are the slice offsets[p] : offsets[p+1]."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Q questions, in the order of the file."""

    ids: list[str]
    texts: list[str]
    answers: list[list[str]]
    """Gold answers; none where the paragraph does not answer the question."""
    paragraph: np.ndarray
    """int32 [Q]: index of its paragraph."""
    has_answer: np.ndarray
    """bool [Q]."""
    trainable: np.ndarray
    """bool [Q]: False where the first answer is not in its context."""
    input_ids: np.ndarray
    """int32 [S]."""
    offsets: np.ndarray
    """int64 [Q+1]."""


def read_paragraphs(directory: Path) -> Paragraphs:
    """The paragraphs of a split's directory."""
    table = read_table(directory / "paragraphs")
    input_ids, offsets = list_values(table.column("input_ids"))
    return Paragraphs(
        contexts=table.column("context").to_pylist(),
        articles=table.column("article").to_pylist(),
        input_ids=input_ids,
        char_starts=list_values(table.column("char_starts"))[0],
        char_ends=list_values(table.column("char_ends"))[0],
        offsets=offsets,
    )


def read_questions(directory: Path) -> Questions:
    """The questions of a split's directory."""
    table = read_table(directory / "questions")
    input_ids, offsets = list_values(table.column("input_ids"))
    answers = table.column("answers").to_pylist()
    return Questions(
        ids=table.column("id").to_pylist(),
        texts=table.column("text").to_pylist(),
        answers=answers,
        paragraph=table.column("paragraph").to_numpy(),
        has_answer=np.array([bool(golds) for golds in answers], dtype=bool),
        trainable=table.column("trainable").to_numpy(),
        input_ids=input_ids,
        offsets=offsets,
    )
