"""Paragraphs with questions from values as JSON gives them, and what may be wrong with them.

What is wrong is a `Problem`: counted by kind (`FAULTS`), and named by the question's id and its place in words. What
is malformed is left out; nothing here raises.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

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


def parse_paragraph(
    article: str, context: Any, questions: Any, where: str, seen: set[str], problems: Problems
) -> Paragraph | None:
    """One paragraph without the questions that are unusable; None where it is unusable itself.

    `where` is its place in words, for the reader of a problem. `seen` are the ids of the split until now; the
    paragraph's are added.
    """
    if not _is_text(context):
        problems.add(
            "malformed", "", where, f"the context is {_kind(context)}, expected text; the paragraph is left out"
        )
        return None
    if not isinstance(questions, list):
        problems.add("malformed", "", where, f"qas is {_kind(questions)}, expected a list; the paragraph is left out")
        return None
    if not context.strip():
        problems.add("empty_context", "", where, f"the context is empty; its {len(questions)} questions are left out")
        return None
    parsed: list[Question] = []
    for number, raw in enumerate(questions, start=1):
        question = _question(raw, context, f"{where}, question {number}", seen, problems)
        if question is not None:
            parsed.append(question)
    return Paragraph(article, context, tuple(parsed)) if parsed else None


def _question(raw: Any, context: str, where: str, seen: set[str], problems: Problems) -> Question | None:
    id_ = raw.get("id") if isinstance(raw, dict) else None
    named = id_ if isinstance(id_, str) and _is_text(id_) else ""
    fault = _fault(raw)
    if fault:
        problems.add("malformed", named, where, f"{fault}; the question is left out")
        return None
    if named in seen:
        problems.add("duplicate_id", named, where, "an earlier question has this id; this one is left out")
        return None
    seen.add(named)
    answers = raw["answers"]
    if raw.get("is_impossible") is not None and raw["is_impossible"] == bool(answers):
        said = f"is_impossible is {str(raw['is_impossible']).lower()} with {len(answers)} answers; the answers decide"
        problems.add("contradiction", named, where, said)
    return Question(named, raw["question"], tuple(_answers(answers, context, named, where, problems)))


def _fault(raw: Any) -> str | None:
    """What is malformed in a question, in words."""
    if not isinstance(raw, dict):
        return f"it is {_kind(raw)}, expected an object"
    for key in ("id", "question"):
        if not _is_text(raw.get(key)):
            return f"its {key} is {_kind(raw.get(key))}, expected text"
    if not raw["id"]:
        return "its id is empty"
    if not isinstance(raw.get("is_impossible"), bool | None):
        return f"is_impossible is {_kind(raw['is_impossible'])}, expected true or false"
    answers = raw.get("answers")
    if not isinstance(answers, list):
        return f"answers is {_kind(answers)}, expected a list"
    for number, answer in enumerate(answers, start=1):
        if not isinstance(answer, dict):
            return f"answer {number} is {_kind(answer)}, expected an object"
        if not _is_text(answer.get("text")) or not answer["text"].strip():
            return f"the text of answer {number} is {_kind(answer.get('text'))}, expected some text"
        start = answer.get("answer_start")
        if not isinstance(start, int) or isinstance(start, bool):
            return f"answer_start of answer {number} is {_kind(start)}, expected a whole number"
    return None


def _answers(raw: list[dict], context: str, id_: str, where: str, problems: Problems) -> Iterable[Answer]:
    for number, answer in enumerate(raw, start=1):
        text, start = answer["text"], answer["answer_start"]
        if start >= 0 and context.startswith(text, start):
            yield Answer(text, start)
            continue
        place, shown = f"{where}, answer {number}", shortened(repr(text))
        nearest = _nearest(text, context, start)
        if nearest is None:
            kept = "the question is scored, but not trained on" if number == 1 else "it is kept for scoring"
            problems.add("answer_missing", id_, place, f"{shown} is not in the context; {kept}")
        else:
            said = f"{shown} is not at {shortened(str(start))} but at {nearest}, which is taken"
            problems.add("answer_moved", id_, place, said)
        yield Answer(text, nearest)


def _nearest(text: str, context: str, start: int) -> int | None:
    """Where `text` occurs nearest to `start`, the earlier of two."""
    at = min(max(start, 0), len(context))
    before = context.rfind(text, 0, min(at + len(text) - 1, len(context))) if at else -1
    after = context.find(text, at)
    found = [place for place in (before, after) if place >= 0]
    return min(found, key=lambda place: abs(place - start), default=None)


def _is_text(value: Any) -> bool:
    """Whether it is a string that UTF-8 can write: JSON may name half a surrogate pair."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    """A value in words, without what stands in it."""
    if value is None:
        return "missing"
    if isinstance(value, str):
        return ("text" if value.strip() else "blank text") if _is_text(value) else "text with half a surrogate pair"
    names = {bool: "true or false", int: "a number", float: "a number with a point", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
