"""The hub's form of SQuAD 2.0, made here: no test touches the network."""

import datasets
import pytest
from datasets import Dataset

from models import hub
from tasks.data.errors import DataError
from tasks.squad.questions import sources
from tasks.squad.questions.examples import Answer

COMMIT = "3ffb306f725f7d2ce8394bc1873b24868140c412"
CONTEXT = "The tower was built by Hugo Brandt."


def rows(*changes):
    """Rows of one paragraph, each with some columns changed."""
    base = {
        "title": "Towers",
        "context": CONTEXT,
        "question": "Who built it?",
        "answers": {"text": ["Hugo Brandt"], "answer_start": [23]},
    }
    return [{"id": f"q{at}", **base, **change} for at, change in enumerate(changes)]


@pytest.fixture
def serve(monkeypatch):
    """`serve(rows or exception)` is what the hub gives; it returns the list of what was asked for."""
    asked = []

    def give(what):
        def load_dataset(path, name, *, split, revision):
            asked.append((path, split, revision))
            if isinstance(what, Exception):
                raise what
            return what if isinstance(what, Dataset) else Dataset.from_list(what)

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    return give


NONE = {"answers": {"text": [], "answer_start": []}}


def test_rows_with_one_context_are_a_paragraph(serve):
    asked = serve(rows({}, NONE, {"context": "Another one.", **NONE}, {}, {"title": "Walls"}))
    split = sources.read_hub("dev", COMMIT)
    assert asked == [("rajpurkar/squad_v2", "validation", COMMIT)]
    assert [(p.article, len(p.questions)) for p in split.paragraphs] == [
        ("Towers", 2),
        ("Towers", 1),
        ("Towers", 1),
        ("Walls", 1),
    ]
    assert split.paragraphs[0].questions[0].answers == (Answer("Hugo Brandt", 23),)
    assert split.paragraphs[0].questions[1].answers == ()
    assert not split.problems.counts
    sources.read_hub("train", COMMIT)
    assert asked[1] == ("rajpurkar/squad_v2", "train", COMMIT)


def test_faults_are_named_by_their_rows(serve):
    serve(rows({}, {"id": "q0"}, {"answers": {"text": ["Hugo"], "answer_start": []}}, {"answers": None}))
    split = sources.read_hub("dev", COMMIT)
    assert split.n_questions == 1
    assert split.problems.counts == {"duplicate_id": 1, "malformed": 2}
    where = split.problems.kept[0].where
    assert where == f"rajpurkar/squad_v2 (validation, {COMMIT[:12]}), rows from 1, question 2"


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (ConnectionError("Couldn't reach\nthe hub"), r"cannot be loaded \(ConnectionError: Couldn't reach the hub\)"),
        ([{"id": "a", "context": "b"}], "no column title, question, answers, found id, context"),
        (rows({"context": " "}), "no usable question"),
    ],
)
def test_bad_hub_data(given, match, serve):
    serve(given)
    with pytest.raises(DataError, match=match):
        sources.read_hub("dev", COMMIT)


def test_a_local_copy_of_another_commit_is_refused(serve, tmp_path):
    for commit in (COMMIT, "0" * 40):
        Dataset.from_list(rows({})).save_to_disk(str(tmp_path / commit))
    serve(datasets.load_from_disk(str(tmp_path / COMMIT)))
    assert sources.read_hub("dev", COMMIT).n_questions == 1
    serve(datasets.load_from_disk(str(tmp_path / ("0" * 40))))
    with pytest.raises(DataError, match=r"the local copy .*0000.* is of another commit"):
        sources.read_hub("dev", COMMIT)


def test_without_network_one_line_says_what_to_give(monkeypatch):
    def unavailable(repo, kind):
        raise hub.HubUnavailable("no network, and no snapshot")

    monkeypatch.setattr(hub, "commit", unavailable)
    with pytest.raises(DataError) as caught:
        sources.locate("squad_v2", None)
    assert str(caught.value) == (
        "the hub data set rajpurkar/squad_v2 is missing (no network, and no snapshot); "
        "give --data-dir DIR with train-v2.0.json and dev-v2.0.json, or --dataset builtin"
    )


def test_the_hubs_source_needs_no_download(monkeypatch):
    monkeypatch.setattr(hub, "commit", lambda repo, kind: COMMIT)
    source = sources.locate("squad_v2", None)
    assert (source.kind, source.fingerprint, source.revision) == ("hub", COMMIT, COMMIT)
    assert source.sizes == {"train": 130_319, "dev": 11_873}
    with pytest.raises(ValueError, match="no split 'test'"):
        sources.read_hub("test", COMMIT)
