"""Sentence borders."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.data.splitting import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello world.", ["Hello world."]),
        ("no mark at all", ["no mark at all"]),
        ("", []),
        ("One . Two ! Three ?", ["One .", "Two !", "Three ?"]),
        ("One... Two?! Three", ["One...", "Two?!", "Three"]),
        ("The shell is soft , and No. 2 Squadron .", ["The shell is soft , and No. 2 Squadron ."]),
        ("He said no. Then he left.", ["He said no.", "Then he left."]),
        ("In the U.S. Navy he met J. Smith, Dr. Who and H. americanus . 5 men went .", 2),
        ('He said " Hello . " Then he left .', ['He said " Hello . "', "Then he left ."]),
        ('It is near . " The end " is not .', ["It is near .", '" The end " is not .']),
        ('"Stop." More (as here.) And more.', ['"Stop."', "More (as here.)", "And more."]),
        ("Yes. ( In brackets . ) No .", ["Yes.", "( In brackets . )", "No ."]),
        ("“Curly.” Next.", ["“Curly.”", "Next."]),
        ("it costs 3 . 5 million . and more", ["it costs 3 .", "5 million . and more"]),  # a rule, not a parser
        ("A long 0 @.@ 7 – 2 @.@ 2 kg lobster .", ["A long 0 @.@ 7 – 2 @.@ 2 kg lobster ."]),
    ],
)
def test_borders(text, expected):
    found = list(sentences(text))
    assert (len(found) if isinstance(expected, int) else found) == expected


marked = st.text(st.sampled_from("aAbB1 .!?\"'()”“\n"), max_size=60) | st.text(max_size=60)


@settings(deadline=None)
@given(marked)
@example('. . " A . " . " B')
def test_the_sentences_are_the_whole_text_in_order(text):
    found = list(sentences(text))
    assert all(sentence and sentence == sentence.strip() for sentence in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@settings(deadline=None)
@given(st.lists(st.sampled_from(["The cat sat .", "A dog ran !", "Who knows ?", "Mr. Fox left ."]), max_size=8))
def test_plain_sentences_come_back(parts):
    assert list(sentences(" ".join(parts))) == parts


def test_a_long_passage_takes_time_as_its_length():
    """With work that grows as the square these would take minutes."""
    for piece in ("a . ", ". ", "A. ", '. " ', ".”", ".'"):
        passage = piece * 50_000
        assert "".join("".join(sentences(passage)).split()) == "".join(passage.split())
