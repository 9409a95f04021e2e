"""Documents as ids: the builtin topics, limits, order, vocabulary and what a report says."""

import json

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from orchestrator.experiment import Context
from tasks.attention.ragged import Ragged
from tasks.attention.texts import builtin
from tasks.attention.texts.catalogue import tokens
from tasks.attention.texts.plan import TextOptions, TextTokensParams, text_report_job, text_sizes, texts_job
from tasks.attention.texts.stages import open_texts, text_report, text_tokens
from tasks.attention.texts.vocabulary import Types, encoded, vocabulary
from tasks.data.builtin import split_sentences
from tasks.data.errors import DataError


def test_builtin_topics_can_be_learned_from_counted_words():
    parts = {split: builtin.documents(split) for split in ("train", "test")}
    assert len(parts["train"]) >= 600
    assert len(parts["test"]) >= 200
    counter = CountVectorizer(token_pattern=r"\S+", min_df=2)
    features = counter.fit_transform([" ".join(tokens(document.text)) for document in parts["train"]])
    model = LogisticRegression(C=0.1, max_iter=1000).fit(features, [d.label for d in parts["train"]])
    tested = counter.transform([" ".join(tokens(document.text)) for document in parts["test"]])
    assert model.score(tested, [d.label for d in parts["test"]]) > 0.8
    trained = {sentence for _, _, sentence in split_sentences("train")}
    assert not any(sentence in document.text for document in parts["test"] for sentence in trained)


def test_texts_become_words_numbers_and_marks():
    assert tokens("Don't pay \\$1,000.50, __init__!") == ["don't", "pay", "\\", "$", "1,000.50", ",", "__init__", "!"]
    assert tokens("  \n ") == []
    assert tokens(["As", "it", "is"]) == ["As", "it", "is"]


def test_vocabulary_by_a_slow_reference():
    draw = np.random.default_rng(3)
    words = [*(f"w{i}" for i in range(40)), "<unk>", "<pad>"]
    documents = [[words[i] for i in draw.zipf(1.5, size=draw.integers(0, 9)) % 42] for _ in range(80)]
    types = Types()
    rows = Ragged.of([types.of(document) for document in documents], np.int32)
    pretrained = {"w7", "w30", "w39", "never"}
    counts: dict[str, int] = {}
    for document in documents:
        for word in document:
            counts[word] = counts.get(word, 0) + 1
    kept = [w for w, n in counts.items() if (n > 2 or w in pretrained) and w not in ("<unk>", "<pad>")]
    expected = ["<pad>", "<bos>", "<eos>", "<unk>", *sorted(kept, key=lambda word: -counts[word])]
    itos = vocabulary(types, rows, pretrained)
    assert itos == expected
    for limit in (None, 3, 5):
        ids, cut = encoded(rows, types, itos, limit)
        inner = None if limit is None else limit - 2
        slow = [[1, *(itos.index(w) if w in kept else 3 for w in document[:inner]), 2] for document in documents]
        assert [ids[i].tolist() for i in range(len(ids))] == slow
        assert cut == sum(inner is not None and len(document) > inner for document in documents)


def test_the_stage_gives_the_same_bytes_each_time_and_a_limit_takes_some_of_all(made, tmp_path):
    whole = made("topics", None)
    made("topics", None, "again")
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    some = made("topics", None, "some", test_limit=20, train_limit=100)
    fewer = made("topics", None, "fewer", test_limit=10, train_limit=100)
    assert (len(some.train), len(some.test), len(fewer.test)) == (100, 20, 10)
    job = texts_job("topics", None, options=TextOptions(test_limit=20, train_limit=100))
    assert text_sizes(job, None) == {"train": 100, "test": 20}
    rows = [some.test.tokens[i].tolist() for i in range(20)]
    assert [fewer.test.tokens[i].tolist() for i in range(10)] == rows[:10]
    assert set(whole.test.labels[:20].tolist()) == {
        0,
        1,
    }  # the file has one class first; the fixed random order does not
    assert whole.test.labels.tolist() != sorted(whole.test.labels.tolist())


def test_the_published_order_is_that_of_the_file(made, write_published):
    train = [[[0, 1, 1, 1], 0], [[2, 2, 2], 1.0]]
    test = [[[i % 3] * (i + 1), i % 2] for i in range(9)]
    data = write_published("Furd", train, test, ["a", "b", "c"])
    first = made("Stanford", data, "first", test_limit=4, legacy_order=True)
    assert first.name == "Furd"
    assert first.test.labels.tolist() == [0, 1, 0, 1]
    assert (first.test.tokens.lengths - 2).tolist() == [1, 2, 3, 4]
    drawn = made("Furd", data, "drawn", test_limit=4)
    assert sorted((drawn.test.tokens.lengths - 2).tolist()) != [1, 2, 3, 4]


def test_more_tokens_than_memory_has_room_for_are_an_error(tmp_path):
    job = texts_job("topics", None)
    with pytest.raises(DataError, match=r"sentence .* of train: here are more than the 1,000 tokens .*--train-limit"):
        text_tokens(job.params, Context(artifact=tmp_path, paths=job.paths, memory_bytes=48_000))


def test_a_report_says_what_a_split_holds(tmp_path, write_files):
    data = write_files("mine", "tsv", "0\tone one one\n1\t\n1\ttwo\n2\tthree\n", "label\ttext\n1\tone new\n0\tone\n")
    job = texts_job("mine", str(data), classes=("0", "1"), options=TextOptions(max_length=4))
    (tmp_path / "out").mkdir()
    job.stage.load()(job.params, Context(artifact=tmp_path / "out", paths=job.paths))
    report = text_report_job(job)
    assert report.stage.load() is text_report
    rows = text_report(report.params, Context(needs={"data": tmp_path / "out"}))["data"]
    for row in rows:
        assert set(row) == set(report.stage.tables["data"].schema.names)
    train, test = rows
    assert (train["documents"], train["other_classes"], train["cut"], train["empty"]) == (3, 1, 1, 1)
    assert train["first_empty"] == f"{data / 'mine' / 'train.tsv'}:2"
    assert (train["tokens"], train["vocabulary"], train["class_one_share"]) == (4 + 2 + 3, 5, 2 / 3)
    assert (train["unknown_share"], test["unknown_share"]) == (1 / 3, 1 / 3)
    assert (test["documents"], test["longest"], test["empty"], test["first_empty"]) == (2, 4, 0, "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test_limit": 0}, "test-limit is 0: give at least 1"),
        ({"train_limit": -1}, "train-limit is -1"),
        ({"max_length": 2}, "max-length is 2: give at least 3"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        TextOptions(**options)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("1", "1"), "classes is 1 1: give two labels"),
        (("0", "7"), "no train document has the label '7'; labels that it has: '0', '1'"),
    ],
)
def test_classes_that_cannot_be(classes, message):
    with pytest.raises(ValueError, match=message):
        texts_job("topics", None, classes=classes)


def test_the_identity_holds_what_shapes_the_ids(write_files):
    data = write_files("mine", "csv", "0,a\n1,b\n", "0,a\n1,b\n")
    job = texts_job("mine", str(data))
    assert texts_job("mine", str(data / "mine")).id == job.id
    assert texts_job("mine", str(data), options=TextOptions(max_length=9)).id != job.id
    write_files("mine", "csv", "0,a\n1,b\n", "0,a\n1,b c\n")
    assert texts_job("mine", str(data)).id != job.id
    with pytest.raises(DataError, match="when the sweep was planned"):
        job.stage.load()(job.params, Context(artifact=data, paths=job.paths))


def test_an_artifact_of_another_stage_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"meta\.json: no such file"):
        open_texts(tmp_path)
    (tmp_path / "meta.json").write_text(json.dumps({"stage": "tokens"}))
    with pytest.raises(DataError, match="not an artifact of the text_tokens stage"):
        open_texts(tmp_path)


def test_params_are_plain_columns():
    params = TextTokensParams(dataset="x", class_zero="0", class_one="1")
    assert params.limit("train") is None
    assert params.limit("test") == 4000
