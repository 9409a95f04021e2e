"""RACE's files and hub rows, well formed and not, all made here."""

import json

import datasets
import pytest
from datasets import Dataset

from tasks.data.errors import DataError
from tasks.data.places import Place
from tasks.deepscale.race import sources
from tasks.deepscale.race.questions import Question, asked

GOOD = {
    "id": "high1.txt",
    "article": "Anna rows home.",
    "questions": ["Who _ home?", "What does Anna do?"],
    "options": [["Anna", "Ben", "Cleo", "Dan"], ["sits", "rows", "sleeps", ""]],
    "answers": ["A", "B"],
}


def write(root, **changed):
    """The official layout with one passage a folder; `changed` replaces keys of train/high (None: leaves it out)."""
    for part in ("train", "dev"):
        for level in ("middle", "high"):
            folder = root / "RACE" / part / level
            folder.mkdir(parents=True, exist_ok=True)
            given = GOOD | (changed if (part, level) == ("train", "high") else {})
            text = json.dumps({key: value for key, value in given.items() if value is not None})
            (folder / "1.txt").write_text(text, encoding="utf-8")
    return root


def test_files_are_read_by_level_and_the_option_takes_the_place_of_the_gap(tmp_path):
    source = sources.locate("RACE", str(write(tmp_path)))
    assert source.sizes == {"train": 4, "dev_middle": 2, "dev_high": 2}
    train = sources.read("train", Place(kind="files", path=source.path))
    assert [passage.text for passage in train] == [GOOD["article"]] * 2
    first, second = train[0].questions
    assert first == Question("Who _ home?", ("Anna", "Ben", "Cleo", "Dan"), 0)
    assert asked(first)[1] == "Who Ben home?"
    assert second.answer == 1
    assert asked(second)[1] == "What does Anna do? rows"
    assert sources.fingerprint(Place(kind="files", path=source.path)) == source.fingerprint
    write(tmp_path, article="Anna rows away.")
    assert sources.locate("RACE", str(tmp_path)).fingerprint != source.fingerprint


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"answers": ["A", "E"]}, r"1\.txt, question 2: the answer is 'E', expected one of A, B, C, D"),
        ({"answers": ["A", ["B"]]}, r"1\.txt, question 2: the answer is \['B'\], expected one of"),
        ({"answers": ["A"]}, r"1\.txt: 2 questions, 2 options, 1 answers"),
        ({"answers": None}, r"1\.txt: the key 'answers' is missing"),
        ({"options": [["a", "b", "c"], ["a"] * 4]}, r"1\.txt, question 1: 3 options, expected 4"),
        ({"options": [["a"] * 4, ["a", 1, "c", "d"]]}, r"1\.txt, question 2: 4 options, expected 4 texts"),
        ({"questions": "Who?"}, r"1\.txt: questions is 'Who\?', expected a list"),
        ({"questions": [1, "Who?"]}, r"1\.txt, question 1: the question is 1, expected text"),
        ({"article": "  "}, r"1\.txt: the article has no text"),
        ({"questions": [], "options": [], "answers": []}, r"1\.txt: 0 questions"),
    ],
)
def test_a_bad_passage_is_named_with_file_and_question(tmp_path, changed, message):
    with pytest.raises(DataError, match=message):
        sources.locate("RACE", str(write(tmp_path, **changed)))


def test_bad_files_and_folders_are_named(tmp_path):
    with pytest.raises(DataError, match=r"RACE: no such folder; give --data-dir"):
        sources.locate("RACE", str(tmp_path))
    file = write(tmp_path) / "RACE" / "dev" / "high" / "1.txt"
    for content, message in ((b"{", "not JSON"), (b"[1]", "a JSON list"), (b'{"a": "\xff"}', "byte 0xff at 7")):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"high/1\.txt: {message}"):
            sources.read_files("dev_high", tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=r"dev/high: no \*\.txt in it"):
        sources.read_files("dev_high", tmp_path)
    with pytest.raises(ValueError, match="RACE has no split 'test'"):
        sources.read_files("test", tmp_path)


def test_hub_rows_of_one_passage_become_one(monkeypatch):
    asked_for = []
    rows = {
        "example_id": ["a.txt", "a.txt", "b.txt"],
        "article": ["One text.", "One text.", "Another text."],
        "question": ["Q1", "Q2", "Q3"],
        "options": [["w", "x", "y", "z"]] * 3,
        "answer": ["A", "D", "B"],
    }

    def load_dataset(repo, level, *, split, revision):
        asked_for.append((repo, level, split, revision))
        return Dataset.from_dict(rows)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    train = sources.read_hub("train", "abc")
    assert [(level, split) for _, level, split, _ in asked_for] == [("middle", "train"), ("high", "train")]
    assert [[q.answer for q in p.questions] for p in train] == [[0, 3], [1]] * 2
    assert [p.name for p in sources.read_hub("dev_high", "abc")] == ["a.txt", "b.txt"]
    assert asked_for[-1] == ("ehovy/race", "high", "validation", "abc")
    rows["answer"][1] = "F"
    with pytest.raises(DataError, match=r"rows from 0 \(a\.txt\), question 2: the answer is 'F'"):
        sources.read_hub("dev_high", "abc")
    del rows["options"]
    with pytest.raises(DataError, match="no column options"):
        sources.read_hub("dev_high", "abc")
