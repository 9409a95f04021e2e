"""What a passage with its questions is, whatever file, hub or generator it comes from, and the checks of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.data.errors import DataError

LETTERS = ("A", "B", "C", "D")
OPTIONS = len(LETTERS)
"""Options of a question."""
RACE, CONTINUATION = "RACE", "continuation"
CHOICE_TASKS = (RACE, CONTINUATION)

SPLITS: dict[str, tuple[str, ...]] = {
    RACE: ("train", "dev_middle", "dev_high"),  # the two levels of the dev set are judged apart, and together as `dev`
    CONTINUATION: ("train", "dev"),
}


@dataclass(frozen=True)
class Question:
    """One question about a passage."""

    text: str
    """Where it has a `_`, the option stands in its place; else the option follows it."""
    options: tuple[str, ...]
    """Four."""
    answer: int
    """Index of the right option."""


@dataclass(frozen=True)
class Passage:
    """A text and the questions about it, at least one."""

    name: str
    text: str
    questions: tuple[Question, ...]


def n_questions(passages: Sequence[Passage]) -> int:
    """Questions of all passages together."""
    return sum(len(passage.questions) for passage in passages)


def check_split(task: str, split: str) -> None:
    """Refuse another task or split.

    Raises:
        ValueError: with the ones that there are.
    """
    if task not in SPLITS:
        raise ValueError(f"{task!r} is no task of choices; choose one of {', '.join(CHOICE_TASKS)}")
    if split not in SPLITS[task]:
        raise ValueError(f"{task} has no split {split!r}; choose one of {', '.join(SPLITS[task])}")


def parse_passage(name: str, text: Any, questions: Any, options: Any, answers: Any, where: str) -> Passage:
    """A passage of the three lists of RACE's form. An option or a question may be empty text, as a few published are.

    Raises:
        DataError: a passage without text or questions, lists of other lengths, a question that is no text, other than
            four options, an answer that is none of A to D; with `where` and the question's number from 1.
    """
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: the article has no text; mend or remove it")
    lists = {"questions": questions, "options": options, "answers": answers}
    for key, value in lists.items():
        if not isinstance(value, list):
            raise DataError(f"{where}: {key} is {_shown(value)}, expected a list; mend or remove the file")
    if not questions or len({len(value) for value in lists.values()}) != 1:
        counts = ", ".join(f"{len(value)} {key}" for key, value in lists.items())
        raise DataError(f"{where}: {counts}; expected the same number of each, at least 1")
    parsed = []
    for number, (question, four, letter) in enumerate(zip(questions, options, answers, strict=True), start=1):
        at = f"{where}, question {number}"
        if not isinstance(question, str):
            raise DataError(f"{at}: the question is {_shown(question)}, expected text; mend or remove it")
        if not isinstance(four, list) or len(four) != OPTIONS or not all(isinstance(option, str) for option in four):
            found = f"{len(four)} options" if isinstance(four, list) else f"the options {_shown(four)}"
            raise DataError(f"{at}: {found}, expected {OPTIONS} texts; mend or remove it")
        if letter not in LETTERS:
            raise DataError(f"{at}: the answer is {_shown(letter)}, expected one of {', '.join(LETTERS)}; mend it")
        parsed.append(Question(question, tuple(four), LETTERS.index(letter)))
    return Passage(name, text, tuple(parsed))


def asked(question: Question) -> tuple[str, ...]:
    """The text of each option that is set beside the passage: the option in place of `_`, else behind the question."""
    if "_" in question.text:
        return tuple(question.text.replace("_", option) for option in question.options)
    return tuple(f"{question.text} {option}" for option in question.options)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
