"""Files of documents, well formed and not, all made here; and what the hub gives."""

import json
import pickle

import datasets
import pytest
from datasets import Dataset

from models.hub import HubUnavailable
from tasks.attention.texts import files
from tasks.attention.texts.catalogue import CATALOGUE, canonical
from tasks.attention.texts.parsing import read_texts
from tasks.attention.texts.plan import text_sizes, texts_job
from tasks.attention.texts.sources import read_hub
from tasks.attention.texts.vectors import locate_vectors, read_vectors
from tasks.data.errors import DataError
from tests.payload import Payload
from tests.research_data import research_data

COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        ("csv", '"1","A ""b""","c\nd"\n\n"0","e"\n'),
        ("csv", '\ufefftext,label\n"A ""b"" c\nd",1\ne,0\n'),
        ("tsv", '1\tA "b"\tc\nd\te\n0\te\n'.replace("\nd\te", " d")),
        ("jsonl", '{"label": 1, "text": "A \\"b\\" c\\nd"}\n\n{"label": false, "text": "e"}\n'),
        ("json", '[{"label": 1.0, "text": "A \\"b\\" c\\nd"},\n {"label": "0", "text": "e"}]'),
        ("json", '{"label": 1, "text": "A \\"b\\" c\\nd"}\n{"label": 0, "text": "e"}\n'),
    ],
)
def test_all_forms_give_the_same_documents(ending, content, tmp_path):
    path = tmp_path / f"train.{ending}"
    path.write_text(content)
    found = list(read_texts(path))
    assert [(d.label, " ".join(str(d.text).split())) for d in found] == [("1", 'A "b" c d'), ("0", "e")]


def test_a_document_may_be_longer_than_a_field_of_the_csv_module(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("0," + "word " * 50_000)
    (found,) = read_texts(path)
    assert len(found.text) == 250_000


BAD = [
    ("csv", "0,a\n1,b \udcff\n", ":2: byte 0xff is not UTF-8"),
    ("csv", '0,a\n1,"b\n0,c\n', ":2: unexpected end of data; mend the quotes of the record that begins here"),
    ("csv", "0,a\n1\n", ":2: 1 fields; expected a label and at least one text"),
    ("csv", "text,label\nb\n", ":2: 1 fields"),
    ("csv", "0,a\n ,b\n", ":2: the label is ' '"),
    ("csv", "", ": no documents"),
    ("tsv", "0 a\n", ":1: 1 fields"),
    ("jsonl", '{"label": 0, "text": "a"}\n{"label": 1,\n', ":2: no JSON"),
    ("jsonl", '{"label": 0, "text": "a"}\n[1]\n', r":2 is \[1\]; expected an object"),
    ("jsonl", '{"label": 0, "words": "a"}\n', ":1: keys label, words; expected a label"),
    ("jsonl", '{"label": 0, "text": null}\n', ":1: the text is None"),
    ("jsonl", '{"label": 0, "text": "a \\ud800"}\n', ":1: the text has half a character"),
    ("jsonl", '{"label": 0.5, "text": "a"}\n', ":1: the label is 0.5"),
    ("jsonl", '{"label": NaN, "text": "a"}\n', ":1: the label is nan"),
    ("json", '[{"label": 0, "text": "a"},\n nothing]', ":2: no JSON"),
    ("json", "[" * 100_000, "JSON that cannot be read|no JSON"),
    ("json", '[{"label": [0], "text": "a"}]', r": object 0: the label is \[0\]"),
    ("json", "3", "expected a list of objects"),
]


@pytest.mark.parametrize(("ending", "content", "message"), BAD)
def test_bad_files_are_named_with_their_line(ending, content, message, write_files):
    good = {"csv": "0,a\n1,b\n", "tsv": "0\ta\n1\tb\n"}.get(ending, '[{"label": 0, "text": "a"}]')
    data = write_files("mine", ending, content.encode(errors="surrogateescape"), good)
    with pytest.raises(DataError, match=rf"train\.{ending}.*({message})") as caught:
        texts_job("mine", str(data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"XY": []}, "no list under the key vocab"),
        ({"vocab": ["a"]}, "no list under the key XY"),
        ({"vocab": ["a", 3], "XY": []}, r"vocab\[1\] is 3"),
        ({"vocab": ["\udc00"], "XY": []}, r"vocab\[0\]: the text has half a character"),
        ({"vocab": ["a"], "XY": [[[0], 1], [[1], 0]]}, r"XY\[1\] has the id 1; expected 0 to 0"),
        ({"vocab": ["a"], "XY": [[[0], 1], [[-1], 0]]}, r"XY\[1\] has the id -1"),
        ({"vocab": ["a"], "XY": [[[True], 1]]}, r"XY\[0\] has the id True"),
        ({"vocab": ["a"], "XY": [[0, 1]]}, r"XY\[0\] is \[0, 1\]; expected \[ids, label\]"),
        ({"vocab": ["a"], "XY": [[[0], None]]}, r"XY\[0\]: the label is None"),
        ({"vocab": ["a"], "XY": [[[0], 0.7], [[0], 1]]}, r"XY\[0\]: the label is 0.7"),
        ({"vocab": ["a"], "XY": [[[0], 0], [[0], 2]]}, r"XY\[1\]: the label '2' is neither 0 nor 1; .*'0', '1', '2'"),
    ],
)
def test_bad_published_files(train, message, tmp_path):
    (tmp_path / "IMDB_train.json").write_text(json.dumps(train))
    (tmp_path / "IMDB_test.json").write_text(json.dumps({"XY": [[[0], 1], [[0], 0]]}))
    with pytest.raises(DataError, match=rf"IMDB_train\.json.*{message}"):
        texts_job("IMDB", str(tmp_path))


def test_more_than_two_labels_need_classes(write_files):
    data = write_files("mine", "csv", "0,a\n1,b\nthree,c\n", "1,a\nthree,b\n")
    with pytest.raises(DataError, match=r"train\.csv:3: the label 'three' is neither 0 nor 1; .* '0', '1', 'three'"):
        texts_job("mine", str(data))
    with pytest.raises(DataError, match="no test document has the label '0'"):
        texts_job("mine", str(data), classes=("0", "1"))
    assert texts_job("mine", str(data), classes=("three", "1")).params.class_zero == "three"
    assert text_sizes(texts_job("mine", str(data), classes=("three", "1")), str(data)) == {"train": 2, "test": 2}


def test_labels_of_ag_news_from_zero_are_not_taken_for_the_published_ones(write_files):
    data = write_files("AG_News", "csv", "0,a\n1,b\n2,c\n3,d\n", "0,a\n1,b\n2,c\n3,d\n")
    with pytest.raises(DataError, match="give two of them with --classes"):
        texts_job("ag_news", str(data))


def test_files_are_found_whatever_case_their_names_have(write_files, tmp_path):
    data = write_files("yelp-polarity", "csv", '1,"a\\nb"\n2,c\n', "1,a\n2,c\n")
    job = texts_job("Yelp", str(data))
    assert (job.params.dataset, job.params.class_zero, job.params.class_one) == ("Yelp", "1", "2")
    (first, _) = files.read(files.find("Yelp", data), "Yelp", "train")
    assert first.text == "a\nb"  # Yelp writes line breaks as two characters
    with pytest.raises(DataError, match="no files of IMDB"):
        texts_job("IMDB", str(data / "yelp-polarity"))  # another data set's folder
    (data / "yelp-polarity" / "train.json").write_text("[]")
    with pytest.raises(DataError, match=r"train\.csv and train\.json both hold the train split"):
        texts_job("Yelp", str(data))
    with pytest.raises(DataError, match="no such directory"):
        texts_job("Yelp", str(tmp_path / "nowhere"))
    assert {canonical(name) for name in ("sns", "SMS", "sms_spam")} == {"SMS"}


def test_a_split_may_not_be_missing(write_files):
    data = write_files("mine", "csv", "0,a\n", "0,a\n")
    (data / "mine" / "test.csv").unlink()
    with pytest.raises(DataError, match=r"train\.csv: the file of the test split is missing"):
        texts_job("mine", str(data))


def test_vectors_are_read_a_line_at_a_time(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("3 2\na 1 2\n. . . 3 4\nb 5 6\na 7 8\n")
    found = read_vectors(path, {"a", ". . .", "z"})
    assert {word: vector.tolist() for word, vector in found.items()} == {"a": [1, 2], ". . .": [3, 4]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a 1 2\nb 3\n", ":2: 1 numbers after the word, expected 2"),
        (b"a 1 2\nb x 3\n", ":2: could not convert"),
        (b"a 1 2\nb nan 3\n", ":2: a number that is not finite"),
        (b"a 1 2\nb\xff 3 4\n", ":2: byte 0xff is not UTF-8"),
        (b"a\n", ":1: 0 numbers"),
    ],
)
def test_bad_vectors(content, message, tmp_path):
    path = tmp_path / "glove.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_vectors(path, {"a", "b"})


def test_pickled_vectors_are_not_opened(tmp_path):
    mark = tmp_path / "mark"
    for name in ("w2v.pkl", "w2v.txt"):
        (tmp_path / name).write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(DataError, match="pickled vectors are not opened"):
        locate_vectors(str(tmp_path / "w2v.pkl"))
    with pytest.raises(DataError, match="is not UTF-8"):
        read_vectors(tmp_path / "w2v.txt", {"a"})
    assert not mark.exists()


def test_vectors_of_no_word_are_an_error(made, tmp_path):
    (tmp_path / "glove.txt").write_text("qqq 1 2\n")
    with pytest.raises(DataError, match="no word of topics has a vector there"):
        made("topics", None, word_vectors=str(tmp_path / "glove.txt"))


def fake_hub(monkeypatch, columns):
    seen = []

    def load_dataset(repo, config, *, split, revision):
        seen.append((repo, config, split, revision))
        return Dataset.from_dict(columns)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return seen


def test_hub_rows(monkeypatch):
    seen = fake_hub(monkeypatch, {"title": ["A", None], "content": ["b\\nc", "d"], "label": [0, 1]})
    found = list(read_hub("Amzn", "test", COMMIT))
    assert [(d.label, d.text) for d in found] == [("1", "A b\nc"), ("2", " d")]
    assert seen == [("fancyzhx/amazon_polarity", None, "test", COMMIT)]
    fake_hub(monkeypatch, {"text": ["a"], "label": [-1]})
    with pytest.raises(DataError, match="row 0: the label is -1; expected 0 to 3"):
        list(read_hub("AG_News", "train", COMMIT))
    with pytest.raises(DataError, match="no column label_text, found text, label"):
        list(read_hub("Newsgroups", "train", COMMIT))


def test_a_hub_data_set_without_test_split_is_divided_for_good(monkeypatch):
    monkeypatch.setattr("tasks.attention.texts.sources.ROWS", 7)
    rows = {"sms": [f"message {i}" for i in range(2100)], "label": [i % 2 for i in range(2100)]}
    fake_hub(monkeypatch, rows)
    parts = [[d.text for d in read_hub("SMS", split, COMMIT)] for split in ("train", "test")]
    assert [len(part) for part in parts] == [26, 2074]
    assert sorted(map(str, parts[0] + parts[1])) == sorted(rows["sms"])
    assert parts[1] != [f"message {i}" for i in range(2074)]


def test_without_network_the_missing_data_are_named(monkeypatch):
    def unreachable(repo, kind):
        raise HubUnavailable(f"cannot reach {repo}")

    monkeypatch.setattr("models.hub.commit", unreachable)
    with pytest.raises(DataError, match=r"cannot reach stanfordnlp/imdb.*; give --data-dir DIR with IMDB_train\.json"):
        texts_job("IMDB", None)
    with pytest.raises(DataError, match=r"the hub has no data set Furd; give --data-dir DIR with Furd_train\.json"):
        texts_job("Furd", None)
    with pytest.raises(DataError, match="no data set is called 'other': choose one of topics, IMDB"):
        texts_job("other", None)
    assert all(known.hub is None or set(known.classes) <= set(known.labels) for known in CATALOGUE.values())


@pytest.mark.real_data
def test_two_classes_of_real_ag_news(made):
    folder = research_data("ag_news")
    texts = made("AG_News", folder.parent)
    assert texts.meta["classes"] == ["1", "3"]  # World and Business
    assert (len(texts.train), len(texts.test)) == (1662 + 1657, 481)
    assert text_sizes(texts_job("AG_News", str(folder)), str(folder)) == {"train": 3319, "test": 481}
    assert texts.meta["splits"]["train"]["other_classes"] == 1649 + 1632
    for word in ("#", "39", "\\", "oil", "iraq", "$"):  # left-overs of the published file stay as they are
        assert word in texts.vocabulary
