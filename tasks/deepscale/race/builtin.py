"""The task `continuation`, in RACE's form, of the builtin sentences: which of four sentences follows the passage?

A passage is up to three sentences in a row of one topic, and the right option is the sentence behind them. The wrong
ones stand behind passages of other topics, and each sentence is once right and three times wrong, so that neither the
options alone nor their places tell the answer. Sentences of train and dev are others, as in all builtin tasks.
"""

import functools
import hashlib
import itertools
import json

from tasks.data import builtin_text
from tasks.data.builtin import Draw, Located, split_sentences
from tasks.deepscale.race.questions import CONTINUATION, LETTERS, OPTIONS, SPLITS, Passage, Question, check_split

BEFORE = 3  # sentences of a passage, fewer where the topic begins
ASKS = ("Which sentence comes next?", "The text goes on: _")  # with and without a place for the option, in turns


@functools.cache
def passages(split: str) -> tuple[Passage, ...]:
    """The passages of a split, each with one question, the same on every machine with the same Python text.

    Raises:
        ValueError: another split than train and dev.
        DataError: as `builtin_text.sentences`.
    """
    check_split(CONTINUATION, split)
    found = _found(split)
    draw = Draw(CONTINUATION, split)
    topics = [topic for topic, _, _ in found]
    others = [_elsewhere(topics, draw, [])]
    while len(others) < OPTIONS - 1:
        others.append(_elsewhere(topics, draw, others))
    made = []
    for i, (topic, before, after) in enumerate(found):
        options = [found[to[i]][2] for to in others]
        place = draw.below(OPTIONS)
        options.insert(place, after)
        question = Question(ASKS[i % len(ASKS)], tuple(options), place)
        made.append(Passage(f"{topic}-{i}", before, (question,)))
    return tuple(made)


@functools.cache
def fingerprint() -> str:
    """First 16 hex digits of SHA-256 over the questions themselves."""
    located = [(split, passage) for split in SPLITS[CONTINUATION] for passage in passages(split)]
    content = [[s, p.text, [[q.text, q.options, LETTERS[q.answer]] for q in p.questions]] for s, p in located]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _found(split: str) -> list[tuple[str, str, str]]:
    """(topic, passage, the sentence behind it), of every second place so that passages overlap little."""
    inside = {sentence for _, _, sentence in split_sentences(split)}
    found = []
    for topic, group in itertools.groupby(builtin_text.sentences(), key=lambda located: located[0]):
        run: list[Located] = []
        for located in group:
            if located[2] not in inside:
                run = []
                continue
            if run and len(run) % 2 == 0:
                found.append((topic, " ".join(sentence for _, _, sentence in run[-BEFORE:]), located[2]))
            run.append(located)
    return found


def _elsewhere(topics: list[str], draw: Draw, before: list[list[int]]) -> list[int]:
    """A permutation that sends each index to another topic, and where none of `before` sends it."""
    to = draw.order(len(topics))

    def clashes(i: int) -> bool:
        return topics[i] == topics[to[i]] or any(other[i] == to[i] for other in before)

    while wrong := [i for i in range(len(topics)) if clashes(i)]:
        for i in wrong:
            j = draw.below(len(topics))
            to[i], to[j] = to[j], to[i]
    return to
