"""JSON files, good and bad: what is wrong is named with its place, and nothing else is lost."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.errors import DataError
from tasks.squad.questions.examples import FAULTS, KEPT, Answer, Problems, parse_paragraph
from tasks.squad.questions.files import read_split
from tests.tasks.squad.questions.conftest import GOOD, article, question

CONTEXT = "The old tower: Hugo Brandt built it in 1843. In 1843 it was new."


def read(write_squad, *questions, context=CONTEXT):
    return read_split("dev", write_squad(dev=[*GOOD, article("More", (context, list(questions)))]))


def only(split):
    (problem,) = split.problems.kept
    assert split.problems.counts == {problem.kind: 1}
    assert problem.kind in FAULTS
    return problem


def test_a_good_file(write_squad):
    golds = (("Hugo Brandt", 15), ("Brandt", 20))
    plausible = [{"text": "1843", "answer_start": 39}]
    split = read(write_squad, question("a", "Who?", *golds), question("b", "What?", plausible_answers=plausible))
    assert not split.problems.counts
    assert split.n_questions == 3
    towers, more = split.paragraphs
    assert (towers.article, more.article, more.context) == ("Towers", "More", CONTEXT)
    first, second = more.questions
    assert (first.id, first.text, first.answers) == ("a", "Who?", tuple(Answer(*gold) for gold in golds))
    assert (second.answers, second.trainable) == ((), True)


@pytest.mark.parametrize(
    ("given", "start", "taken"),
    [("1843", 38, 39), ("1843", 50, 48), ("1843", 43, 39), ("1843", 44, 48), ("1843", -7, 39), ("1843", 10**30, 48)],
)
def test_an_answer_beside_its_offset_is_taken_from_the_nearest_place(given, start, taken, write_squad):
    split = read(write_squad, question("a", "When?", (given, start)))
    assert split.paragraphs[1].questions[0].answers == (Answer(given, taken),)
    problem = only(split)
    assert (problem.kind, problem.question_id) == ("answer_moved", "a")
    assert problem.where == "dev-v2.0.json, article 2, paragraph 1, question 1, answer 1"
    assert problem.said.endswith(f"but at {taken}, which is taken")


def test_an_answer_that_is_nowhere_is_scored_and_not_trained_on(write_squad):
    split = read(write_squad, question("a", "Who?", ("Ana", 15)), question("b", "Who?", ("Hugo", 15), ("Ana", 15)))
    first, second = split.paragraphs[1].questions
    assert (first.answers, first.trainable) == ((Answer("Ana", None),), False)
    assert second.trainable
    assert second.answers[1] == Answer("Ana", None)
    assert [problem.said for problem in split.problems.kept] == [
        "'Ana' is not in the context; the question is scored, but not trained on",
        "'Ana' is not in the context; it is kept for scoring",
    ]
    assert split.problems.counts == {"answer_missing": 2}


def test_a_second_question_of_one_id_is_left_out_wherever_it_is(write_squad):
    split = read(write_squad, question("q1"), question("b"))
    assert [q.id for q in split.paragraphs[1].questions] == ["b"]
    assert (only(split).kind, only(split).question_id) == ("duplicate_id", "q1")


def test_answers_decide_what_is_impossible(write_squad):
    asked = [question("a", "Who?", ("Hugo", 15), is_impossible=True), question("b", is_impossible=False)]
    split = read(write_squad, *asked)
    assert [bool(q.answers) for q in split.paragraphs[1].questions] == [True, False]
    assert [p.said for p in split.problems.kept] == [
        "is_impossible is true with 1 answers; the answers decide",
        "is_impossible is false with 0 answers; the answers decide",
    ]
    assert split.problems.counts == {"contradiction": 2}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "it is a list, expected an object"),
        ("text", "expected an object"),
        (None, "it is missing, expected an object"),
        ({"question": "Who?", "answers": []}, "its id is missing"),
        ({"id": 7, "question": "Who?", "answers": []}, "its id is a number"),
        ({"id": "", "question": "Who?", "answers": []}, "its id is empty"),
        ({"id": "a", "answers": []}, "its question is missing"),
        ({"id": "a", "question": ["Who?"], "answers": []}, "its question is a list"),
        ({"id": "a", "question": "half \ud83d", "answers": []}, "its question is text with half a surrogate pair"),
        ({"id": "\udc00", "question": "Who?", "answers": []}, "its id is text with half a surrogate pair"),
        ({"id": "a", "question": "Who?"}, "answers is missing, expected a list"),
        ({"id": "a", "question": "Who?", "answers": {"text": []}}, "answers is an object, expected a list"),
        ({"id": "a", "question": "Who?", "answers": ["Hugo"]}, "answer 1 is text, expected an object"),
        (question("a", "Who?", ("Hugo", 15), ("", 0)), "the text of answer 2 is blank text, expected some text"),
        (question("a", "Who?", ("Hugo", True)), "answer_start of answer 1 is true or false"),  # pyright: ignore
        (question("a", "Who?", ("Hugo", 15.0)), "answer_start of answer 1 is a number with a point"),  # pyright: ignore
        (question("a", "Who?", ("Hugo", "15")), "answer_start of answer 1 is text, expected a whole number"),  # pyright: ignore
        (question("a", "Who?", is_impossible="no"), "is_impossible is text, expected true or false"),
    ],
)
def test_a_malformed_question_is_left_out_and_named(wrong, said, write_squad):
    split = read(write_squad, question("b"), wrong, question("c"))
    assert [q.id for q in split.paragraphs[1].questions] == ["b", "c"]
    problem = only(split)
    assert (problem.kind, problem.where) == ("malformed", "dev-v2.0.json, article 2, paragraph 1, question 2")
    assert said in problem.said
    assert problem.said.endswith("the question is left out")
    json.dumps([problem.question_id, problem.said]).encode()


@pytest.mark.parametrize("context", ["", " \n\t", "\u00a0\u2003"])
def test_an_empty_context_is_left_out_with_its_questions(context, write_squad):
    split = read(write_squad, question("a"), question("b"), context=context)
    assert split.n_questions == 1
    assert only(split).said == "the context is empty; its 2 questions are left out"


@pytest.mark.parametrize("context", [None, 7, ["The tower"], "half \ud83d of an emoji"])
def test_a_malformed_context_is_left_out(context, write_squad):
    split = read(write_squad, question("a"), context=context)
    assert split.n_questions == 1
    assert only(split).kind == "malformed"


@pytest.mark.parametrize(
    "wrong", [None, [], "article", {"title": "A"}, {"paragraphs": {}}, {"paragraphs": [7]}, {"paragraphs": [{}]}]
)
def test_malformed_articles_and_paragraphs_are_left_out(wrong, write_squad):
    split = read_split("dev", write_squad(dev=[wrong, *GOOD]))
    assert split.n_questions == 1
    assert only(split).kind == "malformed"
    assert only(split).where.startswith("dev-v2.0.json, article 1")


def test_an_article_without_a_title_has_its_number(write_squad):
    data = [{"paragraphs": GOOD[0]["paragraphs"]}]
    assert read_split("dev", write_squad(dev=data)).paragraphs[0].article == "article 1"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", r"dev-v2\.0\.json:1:1: the file is empty"),
        (b" \n ", "the file is empty"),
        (b'{"version": "v2.0",\n "data": [}\n', r"dev-v2\.0\.json:2:11: broken JSON \(Expecting value\)"),
        (b'{"data": [', r"dev-v2\.0\.json:1:11: broken JSON"),
        (b'{"data": []}\n{"data": []}', r"dev-v2\.0\.json:2:1: broken JSON \(Extra data\)"),
        (b'{"data":\n [{"title": "caf\xe9"}]}', r"dev-v2\.0\.json:2:17: not UTF-8 \(byte 0xe9\)"),
        ('{"data": []}'.encode("utf-16"), r"dev-v2\.0\.json:1:1: not UTF-8"),
        (b"[]", 'expected an object with a list of articles at "data"'),
        (b'{"data": {}}', 'expected an object with a list of articles at "data"'),
        (b'{"data": []}', "no usable question; get the file again"),
        (b"[" * 200_000, "JSON that cannot be read"),
        (b'{"data": ' + b"9" * 5000 + b"}", "JSON that cannot be read"),
        (
            json.dumps({"data": [7]}).encode(),
            r"no usable question \(first problem: dev-v2\.0\.json, article 1: it is no",
        ),
    ],
)
def test_unusable_files_are_refused_with_line_and_column(content, match, write_squad):
    with pytest.raises(DataError, match=match) as caught:
        read_split("dev", write_squad(dev=content))
    assert "\n" not in str(caught.value)
    assert "get the file again" in str(caught.value)


def test_a_byte_order_mark_is_no_fault(write_squad):
    content = b"\xef\xbb\xbf" + json.dumps({"data": GOOD}).encode()
    assert read_split("dev", write_squad(dev=content)).n_questions == 1


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(
        DataError, match=r"no such file; give --data-dir DIR with train-v2\.0\.json and dev-v2\.0\.json"
    ):
        read_split("dev", tmp_path)
    (tmp_path / "train-v2.0.json").mkdir()
    with pytest.raises(DataError, match=r"train-v2\.0\.json cannot be read"):
        read_split("train", tmp_path)
    with pytest.raises(ValueError, match="no split 'test'; choose one of train, dev"):
        read_split("test", tmp_path)


def test_a_split_without_its_answers_cannot_be_scored(write_squad):
    withheld = [{"id": str(i), "question": "Who?", "answers": []} for i in range(3)]
    with pytest.raises(DataError, match=r"all 3 questions are without answers .* withheld, .* can be neither scored"):
        read_split("dev", write_squad(dev=[article("Test", (CONTEXT, withheld))]))
    assert read(write_squad, *withheld).n_questions == 4  # one answer elsewhere: these are unanswerable
    impossible = [question("a"), question("b")]
    assert read_split("dev", write_squad(dev=[article("No", (CONTEXT, impossible))])).n_questions == 2


def test_problems_are_counted_all_and_kept_in_part(write_squad):
    huge = "x" * 1000
    asked = [question(f"{huge}{i}", "Who?", ("Ana" * 100, 3)) for i in range(KEPT + 5)]
    split = read(write_squad, *asked)
    assert split.n_questions == KEPT + 6
    assert split.problems.counts["answer_missing"] == KEPT + 5
    assert len(split.problems.kept) == KEPT
    assert max(len(problem.question_id) for problem in split.problems.kept) == 200
    assert max(len(problem.said) for problem in split.problems.kept) < 300
    assert split.paragraphs[1].questions[0].id == huge + "0"


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ("שלום, המגדל נבנה", "המגדל"),
        ("the 😀 tower 👩\u200d👩\u200d👧 is", "👩\u200d👩\u200d👧"),
        ("e\u0301te\u0301 1843", "e\u0301te\u0301"),
        ("nul\x00 and \u202fodd", "\x00 and"),
    ],
)
def test_offsets_count_characters_not_bytes(context, text, write_squad):
    split = read(write_squad, question("ü", "Qué?", (text, context.index(text))), context=context)
    assert not split.problems.counts
    assert split.paragraphs[1].questions[0].answers == (Answer(text, context.index(text)),)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(CONTEXT),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "question", "answers", "text", "answer_start", "is_impossible"]), inner, max_size=6
        )
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(anything, st.lists(anything, max_size=3) | anything)
def test_no_value_stops_the_reader(context, questions):
    problems = Problems()
    parsed = parse_paragraph("A", context, questions, "here", set(), problems)
    if isinstance(questions, list) and questions and parsed is None:
        assert problems.counts
    for found in parsed.questions if parsed else ():
        for answer in found.answers:
            assert answer.start is None or context.startswith(answer.text, answer.start)
