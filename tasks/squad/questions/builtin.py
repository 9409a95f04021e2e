"""Questions on Python's own documentation text, so that a sweep runs on any machine without a download.

An article is a topic of the documentation, and a topic belongs to one split. Three families, two thirds of each kind
of question answerable, so that the question alone does not tell:

* surface questions ("Which modal verb is named?") where the context has just one such span, or none;
* successor questions ("Which word comes after that?") where it has that word just once and a word after it, or not;
* cloze questions (how a sentence ends that begins so), of a sentence of the context, or of another of its topic.

They try an orchestrator and its science, not a model: a tiny one learns the first family from the words themselves, the
second once it attends to the word before.
"""

import functools
import hashlib
import itertools
import json
import re
from dataclasses import dataclass

from tasks.data import builtin_text
from tasks.data.builtin import Draw
from tasks.data.errors import DataError
from tasks.squad.questions.examples import Answer, Paragraph, Problems, Question, SquadSplit, count
from tasks.training.seeds import stream_seed

VERSION = 1  # raise it when the rules below change
SPLITS = ("train", "dev")
TOPICS_A_DEV_TOPIC = 4
CONTEXT_WORDS = 28  # paragraphs of a topic are joined until a context has that many
CLOZES = 1  # answerable ones of a context at most
BEGINNING, ENDING = 5, 3  # words of a sentence that a cloze question gives, and asks for
SHORTEST = 10  # words of a sentence for a cloze question


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A kind of question whose answer shows on the surface of the text."""

    asks: tuple[str, str]
    """Two ways to ask; neighbouring contexts take turns, so that no two questions in a row are the same."""
    answer: str
    """Regular expression: the answer is its first group, and the whole match another right answer."""
    mark: str | None = None
    """Regular expression: a context that has it more than once, or without an answer, is not asked. None: `answer`."""


SURFACES = (
    Surface(asks=("Which word stands in quotation marks?", "Which word is quoted?"), answer=r"[\"“]([A-Za-z_]+)[\"”]"),
    Surface(asks=("Which number is named?", "What number does the text give?"), answer=r"(?<![\w.])(\d+(?:\.\d+)*)\b"),
    Surface(
        asks=("Which word stands in brackets?", "Which single word is put in brackets?"), answer=r"(?<!\w)\((\w+)\)"
    ),
    Surface(
        asks=("Which word is joined by a hyphen?", "Which word has a hyphen in it?"),
        answer=r"(?<![\w-])([A-Za-z]+-[A-Za-z]+)(?![\w-])",
    ),
    Surface(
        asks=("Which function is called with nothing?", "Which name has empty brackets after it?"),
        answer=r"(?<![\w.])(\w+)\(\)",
    ),
    Surface(
        asks=("Which word is written in capitals?", "Which word has only capital letters?"), answer=r"\b([A-Z]{2,})\b"
    ),
)
WORDS = (  # a kind of word by two names, and the words of this kind
    ("modal verb", "verb of duty or leave", "can cannot could may might must shall should will would"),
    ("quantity", "word for how many", "all any both each either every many most neither none several some"),
    ("place in a row", "word for an order", "first following last next other preceding previous same second third"),
    ("part of a program", "thing that one writes", "attribute class expression function method module statement"),
    ("kind of value", "type of data", "dictionary integer list mapping number sequence set string tuple value"),
    ("done thing", "action", "assigned called created defined evaluated executed given passed raised returned used"),
    (
        "reason or condition",
        "word before a clause",
        "because if since therefore though unless until when whether while",
    ),
)
KINDS = tuple(
    Surface(
        asks=(f"Which {name} is named?", f"What {other} does the text have?"),
        answer=rf"(?i:\b({words.replace(' ', '|')})\b)",
    )
    for name, other, words in WORDS
)
CUES = ("is", "not", "that")
SUCCESSORS = tuple(
    Surface(
        asks=(f"Which word comes after {cue}?", f"What is the word behind {cue}?"),
        answer=rf"(?i:(?<=\b{cue} ))(?!(?i:an?|the)\b)([A-Za-z]+)\b",  # scoring deletes articles
        mark=rf"(?i)\b{cue}\b",  # most tokenizers here do not tell capitals
    )
    for cue in CUES
)
CLOZE_ASKS = ("How does the sentence end that begins with {}?", "What is the end of the sentence that opens with {}?")


@dataclass(frozen=True, kw_only=True)
class _Context:
    topic: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


Asked = list[list[tuple[str, tuple[Answer, ...]]]]
"""The questions of each context, with their answers."""


@functools.cache
def read_split(split: str) -> SquadSplit:
    """One split, the same on every run and machine with the same Python text.

    Some questions of dev have several right answers.

    Raises:
        ValueError: for another split than train and dev.
        DataError: as `builtin_text.sentences`, or when the text gives no questions.
    """
    if split not in SPLITS:
        raise ValueError(f"builtin questions have no split {split!r}; choose one of {', '.join(SPLITS)}")
    contexts = _contexts(split)
    draw = Draw("squad", split)
    asked: Asked = [[] for _ in contexts]
    for surface in (*SURFACES, *KINDS, *SUCCESSORS):
        _ask_surface(surface, contexts, asked, draw)
    _ask_clozes(contexts, asked, draw)
    if split == "train":  # several right answers are for scoring; training uses the first alone
        asked = [[(text, answers[:1]) for text, answers in questions] for questions in asked]
    paragraphs = []
    for number, (context, questions) in enumerate(zip(contexts, asked, strict=True), start=1):
        made = tuple(
            Question(f"{context.topic}/{number}/{at}", text, answers)
            for at, (text, answers) in enumerate(questions, start=1)
        )
        if made:
            paragraphs.append(Paragraph(context.topic, context.text, made))
    if not paragraphs:
        raise DataError("pydoc_data.topics of this Python gives no questions; give real ones with --data-dir DIR")
    return SquadSplit(tuple(paragraphs), Problems())


def sizes() -> dict[str, int]:
    """Number of questions of each split."""
    return {split: count(read_split(split).paragraphs) for split in SPLITS}


@functools.cache
def fingerprint() -> str:
    """First 16 hex digits of SHA-256 over the questions themselves: other text, rules or random numbers show."""
    content = [
        [p.article, p.context, [[q.id, q.text, [[a.text, a.start] for a in q.answers]] for q in p.questions]]
        for split in SPLITS
        for p in read_split(split).paragraphs
    ]
    return hashlib.sha256(json.dumps([VERSION, content]).encode()).hexdigest()[:16]


def _contexts(split: str) -> list[_Context]:
    """The paragraphs of each topic of a split, short ones joined to the next."""
    found = []
    for topic, located in itertools.groupby(builtin_text.sentences(), key=lambda located: located[0]):
        if (stream_seed(0, "builtin", "squad", topic) % TOPICS_A_DEV_TOPIC == 0) != (split == "dev"):
            continue
        joined: list[list[str]] = [[]]
        for _, paragraph in itertools.groupby(located, key=lambda located: located[1]):
            if sum(len(sentence.split()) for sentence in joined[-1]) >= CONTEXT_WORDS:
                joined.append([])
            joined[-1] += [sentence for _, _, sentence in paragraph]
        found += [_Context(topic=topic, sentences=tuple(sentences)) for sentences in joined]
    return found


def _ask_surface(surface: Surface, contexts: list[_Context], asked: Asked, draw: Draw) -> None:
    """Ask it of every context with just one such span, and of half as many contexts with none."""
    lacking, n_answered = [], 0
    for at, context in enumerate(contexts):
        matches = list(re.finditer(surface.answer, context.text))
        n_marks = len(re.findall(surface.mark or surface.answer, context.text))
        if not n_marks:
            lacking.append(at)
        elif n_marks == len(matches) == 1:
            n_answered += 1
            spans = dict.fromkeys((matches[0].span(1), matches[0].span()))
            answers = tuple(Answer(context.text[start:end], start) for start, end in spans)
            asked[at].append((surface.asks[at % 2], answers))
    for chosen in draw.order(len(lacking))[: n_answered // 2]:
        asked[lacking[chosen]].append((surface.asks[lacking[chosen] % 2], ()))


def _ask_clozes(contexts: list[_Context], asked: Asked, draw: Draw) -> None:
    """Ask for the ends of some sentences of every context, and of half as many sentences of other contexts."""
    n_answered = 0
    for at, context in enumerate(contexts):
        fit = [sentence for sentence in context.sentences if _is_cloze(sentence, context.text)]
        for chosen in draw.order(len(fit))[:CLOZES]:
            asked[at].append((_cloze(fit[chosen], at), _endings(fit[chosen], context.text)))
            n_answered += 1
    foreign = [
        (at, sentence)
        for at, context in enumerate(contexts)
        for other in contexts
        if other is not context and other.topic == context.topic
        for sentence in other.sentences
        if _is_cloze(sentence, other.text) and _beginning(sentence) not in context.text
    ]
    for chosen in draw.order(len(foreign))[: n_answered // 2]:
        at, sentence = foreign[chosen]
        asked[at].append((_cloze(sentence, at), ()))


def _is_cloze(sentence: str, text: str) -> bool:
    """Whether a sentence's beginning and its end stand in the text just once, so that the answer is one span."""
    if len(sentence.split()) < SHORTEST:
        return False
    return text.count(_beginning(sentence)) == 1 and text.count(_end(sentence, ENDING)) == 1


def _cloze(sentence: str, at: int) -> str:
    return CLOZE_ASKS[at % 2].format(_beginning(sentence))


def _beginning(sentence: str) -> str:
    return " ".join(sentence.split()[:BEGINNING])


def _end(sentence: str, words: int) -> str:
    return " ".join(sentence[:-1].split()[-words:])


def _endings(sentence: str, text: str) -> tuple[Answer, ...]:
    """The last three words without the full stop, and as other right answers the last four and two."""
    stop = text.index(sentence) + len(sentence) - 1
    ends = [_end(sentence, words) for words in (ENDING, ENDING + 1, ENDING - 1)]
    return tuple(Answer(end, stop - len(end)) for end in ends)
