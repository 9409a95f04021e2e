"""Parameters and jobs of the windows, without torch."""

from typing import Any

import pytest

from models import hub
from tasks.data.errors import DataError
from tasks.data.places import Place
from tasks.squad.questions import sources
from tasks.squad.questions.plan import (
    SQUAD_DATA,
    QuestionOptions,
    WindowSizes,
    WindowsParams,
    check_room,
    fault_notes,
    planned_windows,
    windows_job,
)
from tests.tasks.squad.questions.conftest import GOOD, article, question

PAPER: dict[str, Any] = {
    "dataset": "squad_v2",
    "tokenizer": "bert",
    "tokenizer_revision": "0",
    "max_length": 384,
    "doc_stride": 128,
    "max_query_length": 64,
}
LENGTHS: dict[str, Any] = {
    "max_length": 48,
    "doc_stride": 12,
    "max_query_length": 8,
    "train_limit": None,
    "dev_limit": None,
}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"dataset": "squad"}, "dataset is 'squad': give squad_v2 or builtin"),
        ({"max_length": 0}, "max-length is 0: give at least 1"),
        ({"doc_stride": 0}, "doc-stride is 0: give at least 1"),
        ({"max_query_length": -1}, "max-query-length is -1"),
        ({"train_limit": 0}, "train-limit is 0"),
        ({"dev_limit": 0}, "dev-limit is 0"),
        ({"max_length": 68}, "max-length is 68: give over 68"),
        ({"doc_stride": 317}, "doc-stride is 317: give at most 316"),
    ],
)
def test_settings_that_do_not_go_together(change, match):
    assert WindowsParams(**PAPER).limit("dev") is None
    WindowsParams(**{**PAPER, "doc_stride": 316})
    WindowsParams(**{**PAPER, "max_length": 69, "doc_stride": 1})
    with pytest.raises(ValueError, match=match):
        WindowsParams(**{**PAPER, **change})


def test_tokenizers_with_more_special_tokens_need_more_room():
    sizes = WindowSizes(max_length=384, doc_stride=316, max_query_length=64)
    check_room(sizes, 4)
    with pytest.raises(ValueError, match="give at most 315"):
        check_room(sizes, 5)


def test_whatever_shapes_the_bytes_is_in_the_id(write_squad, bert_dir):
    data = str(write_squad())
    jobs = [windows_job(QuestionOptions(dataset="squad_v2", data_dir=data, **LENGTHS), str(bert_dir))]
    for name in LENGTHS:
        changed = LENGTHS | {name: 11 if LENGTHS[name] is None else LENGTHS[name] - 1}
        jobs.append(windows_job(QuestionOptions(dataset="squad_v2", data_dir=data, **changed), str(bert_dir)))
    jobs.append(windows_job(QuestionOptions(dataset="squad_v2", data_dir=data, **LENGTHS), "builtin"))
    jobs.append(windows_job(QuestionOptions(dataset="builtin", **LENGTHS), "builtin"))
    assert len({job.id for job in jobs}) == len(jobs) == 8
    assert windows_job(QuestionOptions(dataset="squad_v2", data_dir=data, **LENGTHS), str(bert_dir)).id == jobs[0].id


def test_files_are_found_and_counted(write_squad, tmp_path):
    asked = [question("a"), question("a"), question("b")]
    root = write_squad(dev=[*GOOD, article("More", ("The tower", asked))])
    source = sources.locate("squad_v2", str(root))
    assert (source.kind, source.path, dict(source.sizes)) == ("files", str(root), {"train": 1, "dev": 3})
    assert source.fingerprint == sources.fingerprint(Place(kind="files", path=str(root)))
    write_squad(dev=GOOD)
    assert sources.locate("squad_v2", str(root)).sizes["dev"] == 1
    assert sources.read("dev", Place(kind="files", path=str(root))).n_questions == 1


def test_missing_data_are_named_with_what_to_give(write_squad, tmp_path):
    remedy = r"give --data-dir DIR with train-v2\.0\.json and dev-v2\.0\.json, or --dataset builtin"
    with pytest.raises(DataError, match=rf"nowhere: no such directory; {remedy}"):
        sources.locate("squad_v2", str(tmp_path / "nowhere"))
    (write_squad() / "dev-v2.0.json").unlink()
    with pytest.raises(DataError, match=rf"dev-v2\.0\.json: no such file; {remedy}"):
        sources.locate("squad_v2", str(tmp_path))
    with pytest.raises(ValueError, match="dataset is 'squad'; choose squad_v2 or builtin"):
        sources.locate("squad", None)


def test_a_bad_file_is_refused_while_planning(write_squad):
    with pytest.raises(DataError, match=r"dev-v2\.0\.json:1:11: broken JSON"):
        windows_job(
            QuestionOptions(dataset="squad_v2", data_dir=str(write_squad(dev=b'{"data": [')), **LENGTHS), "builtin"
        )


def test_planned_windows(monkeypatch):
    monkeypatch.setattr(hub, "commit", lambda repo, kind: "0" * 40)
    assert planned_windows(QuestionOptions(dev_limit=1000)) == {"train": 136_835, "dev": 1050}
    assert planned_windows(QuestionOptions(train_limit=200_000)) == {"train": 136_835, "dev": 12_467}


def test_columns_are_described_and_parameters_become_columns():
    for spec in SQUAD_DATA.tables.values():
        assert spec.doc
        assert all(field.metadata[b"doc"] for field in spec.schema)
    assert [field.name for field in SQUAD_DATA.param_fields] == [*PAPER, "train_limit", "dev_limit"]


def test_each_kind_of_fault_is_said_once():
    rows = [
        ("train", "questions", 10.0),
        ("train", "problem_answer_moved", 2.0),
        ("train", "problem_answer_moved", 2.0),
        ("dev", "problem_duplicate_id", 0.0),
        ("dev", "problem_new", 1.0),
    ]
    moved, new = fault_notes(rows)
    assert moved.startswith("train: 2 answers not at their offset")
    assert new.startswith("dev: 1 new")
    assert fault_notes([]) == []
