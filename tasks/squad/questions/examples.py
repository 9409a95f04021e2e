"""Paragraphs with questions, and what may be wrong with them.

What is wrong is a `Problem`: counted by kind (`FAULTS`), and named by the question's id and its place.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

FAULTS = {
    "answer_moved": "answers not at their offset, taken from the nearest place",
    "answer_missing": "answers that are not in their context: scored, not trained on",
    "answer_untokened": "answers without a token of their own: scored, not trained on",
    "duplicate_id": "questions with an id that another one has, left out",
    "contradiction": "questions whose answers contradict is_impossible: the answers decide",
    "malformed": "malformed questions or paragraphs, left out",
    "empty_context": "empty contexts, left out with their questions",
}
"""The kinds of problem, and what is done about each, in words that follow a number."""
KEPT = 1_000  # problems of a kind that are kept with their names; all are counted
LONGEST_NAME = 200  # characters of an id in a problem


@dataclass(frozen=True, slots=True)
class Answer:
    """A gold answer."""

    text: str
    start: int | None
    """Character offset into the context; None where the text is not in it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold answers, none where the paragraph does not answer it."""

    id: str
    text: str
    answers: tuple[Answer, ...]

    @property
    def trainable(self) -> bool:
        """Whether its label can be trusted: the first answer stands in the context, or there is none."""
        return not self.answers or self.answers[0].start is not None


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A context and the questions on it."""

    article: str
    context: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in the data."""

    kind: str
    question_id: str
    """Empty where there is none."""
    where: str
    """File, article, paragraph, question and answer, each counted from 1."""
    said: str
    """What is wrong, and what was done about it."""


@dataclass
class Problems:
    """All problems of a split counted, and the first thousand of each kind kept: its memory is bounded."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: list[Problem] = field(default_factory=list)

    def add(self, kind: str, question_id: str, where: str, said: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= KEPT:
            self.kept.append(Problem(kind, shortened(question_id), where, said))


@dataclass(frozen=True)
class SquadSplit:
    """One split in the order of its file."""

    paragraphs: tuple[Paragraph, ...]
    problems: Problems

    @property
    def n_questions(self) -> int:
        return count(self.paragraphs)


def count(paragraphs: Sequence[Paragraph]) -> int:
    """Number of questions."""
    return sum(len(paragraph.questions) for paragraph in paragraphs)


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"
