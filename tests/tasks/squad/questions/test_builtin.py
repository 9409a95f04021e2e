"""Questions on Python's own documentation."""

import itertools
import re
import subprocess
import sys
from collections import Counter

import pytest

from tasks.data import builtin_text
from tasks.squad.questions import builtin
from tests.tasks.data.conftest import REPO


def family(text: str) -> str:
    return "cloze" if "the sentence" in text else text


@pytest.mark.parametrize("split", ["train", "dev"])
def test_answers_stand_where_they_say_and_a_third_has_none(split):
    paragraphs = builtin.read_split(split).paragraphs
    questions = [question for paragraph in paragraphs for question in paragraph.questions]
    for paragraph in paragraphs:
        for question in paragraph.questions:
            for answer in question.answers:
                assert answer.start is not None
                assert paragraph.context.startswith(answer.text, answer.start)
                assert answer.text.strip() == answer.text != ""
    assert len({question.id for question in questions}) == len(questions)
    assert 700 < len(questions) < 10_000  # the text differs a little between Pythons
    unanswerable = sum(not question.answers for question in questions) / len(questions)
    assert 0.28 < unanswerable < 0.38
    assert all(a.text != b.text for a, b in itertools.pairwise(questions))
    assert {len(question.answers) for question in questions} == ({0, 1} if split == "train" else {0, 1, 2, 3})


def test_a_question_alone_does_not_tell_whether_it_has_an_answer():
    questions = [q for p in builtin.read_split("train").paragraphs for q in p.questions]
    asked = Counter(family(question.text) for question in questions)
    answered = Counter(family(question.text) for question in questions if question.answers)
    for text, number in asked.items():
        if number >= 40:
            assert 0.45 < answered[text] / number < 0.85, text
    assert len([text for text, number in asked.items() if number >= 40]) > 15


def test_a_topic_is_in_one_split():
    articles = [{p.article for p in builtin.read_split(split).paragraphs} for split in ("train", "dev")]
    assert not articles[0] & articles[1]
    assert min(map(len, articles)) > 5


@pytest.mark.parametrize("split", ["train", "dev"])
def test_no_question_has_two_right_spans(split):
    """A cloze question's beginning stands once, or not at all, in its context; so does a successor question's word."""
    n_cloze = 0
    for paragraph in builtin.read_split(split).paragraphs:
        for question in paragraph.questions:
            if family(question.text) == "cloze":
                n_cloze += 1
                beginning = re.split(" (?:begins|opens) with ", question.text.removesuffix("?"))[1]
                assert paragraph.context.count(beginning) == bool(question.answers)
                if question.answers:
                    rest = paragraph.context[paragraph.context.index(beginning) :]
                    assert question.answers[0].text in rest
            elif question.text.startswith("Which word comes after "):
                cue = question.text.split()[-1].removesuffix("?")
                words = [word.strip('.,;:()"').lower() for word in paragraph.context.split()]
                if question.answers:
                    assert paragraph.context[: question.answers[0].start].lower().endswith(f"{cue} ")
                else:
                    assert cue not in words
    assert n_cloze > 150


def test_the_same_in_every_process_and_named_by_its_content():
    code = "from tasks.squad.questions import builtin; print(builtin.fingerprint(), builtin.sizes())"
    other = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == f"{builtin.fingerprint()} {builtin.sizes()}"


def test_another_text_is_another_fingerprint(monkeypatch):
    here = builtin.fingerprint()
    sentences = builtin_text.sentences()
    topic, paragraph, sentence = sentences[0]
    for cached in (builtin.read_split, builtin.fingerprint):
        cached.cache_clear()
    monkeypatch.setattr(builtin_text, "sentences", lambda: [(topic, paragraph, f"{sentence} More."), *sentences[1:]])
    try:
        assert builtin.fingerprint() != here
    finally:
        for cached in (builtin.read_split, builtin.fingerprint):
            cached.cache_clear()


def test_other_splits_are_refused():
    with pytest.raises(ValueError, match="no split 'test'; choose one of train, dev"):
        builtin.read_split("test")
