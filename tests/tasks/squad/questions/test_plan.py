"""Parameters and jobs of the windows, without torch."""

import subprocess
import sys
from typing import Any

import pytest

from tasks.data.errors import DataError
from tasks.data.sources import Source
from tasks.squad.questions import sources
from tasks.squad.questions.plan import SQUAD_DATA, WindowsParams, check_room, planned_windows, windows_job
from tests.tasks.data.conftest import REPO
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
        ({"dataset": "squad"}, "dataset is 'squad'; choose one of squad_v2, builtin"),
        ({"max_length": 0}, "max_length is 0; expected at least 1"),
        ({"doc_stride": 0}, "doc_stride is 0; expected at least 1"),
        ({"max_query_length": -1}, "max_query_length is -1"),
        ({"train_limit": 0}, "train_limit is 0"),
        ({"dev_limit": 0}, "dev_limit is 0"),
        ({"max_length": 68}, r"max_length is 68; expected over max_query_length \+ 4 special tokens = 68"),
        ({"doc_stride": 317}, r"doc_stride is 317, and a window .* holds 316 context tokens .* give at most 316"),
    ],
)
def test_settings_that_do_not_go_together(change, match):
    assert WindowsParams(**PAPER).limit("dev") is None
    WindowsParams(**{**PAPER, "doc_stride": 316})
    WindowsParams(**{**PAPER, "max_length": 69, "doc_stride": 1})
    with pytest.raises(ValueError, match=match):
        WindowsParams(**{**PAPER, **change})


def test_tokenizers_with_more_special_tokens_need_more_room():
    check_room(384, 316, 64, 4)
    with pytest.raises(ValueError, match="holds 315 context tokens"):
        check_room(384, 316, 64, 5)


def test_whatever_shapes_the_bytes_is_in_the_id(write_squad, bert_dir):
    data = str(write_squad())
    jobs = [windows_job("squad_v2", data, str(bert_dir), **LENGTHS)]
    for name in LENGTHS:
        changed = LENGTHS | {name: 11 if LENGTHS[name] is None else LENGTHS[name] - 1}
        jobs.append(windows_job("squad_v2", data, str(bert_dir), **changed))
    jobs.append(windows_job("squad_v2", data, "builtin", **LENGTHS))
    jobs.append(windows_job("builtin", None, "builtin", **LENGTHS))
    assert len({job.id for job in jobs}) == len(jobs) == 8
    assert windows_job("squad_v2", data, str(bert_dir), **LENGTHS).id == jobs[0].id


def test_files_are_found_and_counted(write_squad, tmp_path):
    asked = [question("a"), question("a"), question("b")]
    root = write_squad(dev=[*GOOD, article("More", ("The tower", asked))])
    source = sources.locate("squad_v2", str(root))
    assert (source.kind, source.path, dict(source.sizes)) == ("files", str(root), {"train": 1, "dev": 3})
    assert source.fingerprint == sources.fingerprint("files", str(root), None)
    write_squad(dev=GOOD)
    assert sources.locate("squad_v2", str(root)).sizes["dev"] == 1
    assert sources.read("files", "dev", str(root), None).n_questions == 1


def test_missing_data_are_named_with_what_to_give(write_squad, tmp_path):
    remedy = r"give --data-dir DIR with train-v2\.0\.json and dev-v2\.0\.json, or --dataset builtin"
    with pytest.raises(DataError, match=rf"nowhere: no such directory; {remedy}"):
        sources.locate("squad_v2", str(tmp_path / "nowhere"))
    (write_squad() / "dev-v2.0.json").unlink()
    with pytest.raises(DataError, match=rf"dev-v2\.0\.json: no such file; {remedy}"):
        sources.locate("squad_v2", str(tmp_path))
    with pytest.raises(ValueError, match="dataset is 'squad'; choose squad_v2 or builtin"):
        sources.locate("squad", None)
    with pytest.raises(ValueError, match="questions of kind 'files' need a path"):
        sources.read("files", "dev", None, None)
    with pytest.raises(ValueError, match="questions of kind 'hub' need a revision"):
        sources.fingerprint("hub", None, None)


def test_a_bad_file_is_refused_while_planning(write_squad):
    with pytest.raises(DataError, match=r"dev-v2\.0\.json:1:11: broken JSON"):
        windows_job("squad_v2", str(write_squad(dev=b'{"data": [')), "builtin", **LENGTHS)


def test_planned_windows():
    source = Source(task="squad_v2", kind="hub", fingerprint="f", sizes={"train": 130_319, "dev": 11_873})
    assert planned_windows(source, None, 1000) == {"train": 136_835, "dev": 1050}
    assert planned_windows(source, 200_000, None) == {"train": 136_835, "dev": 12_467}


def test_columns_are_described_and_parameters_become_columns():
    for spec in SQUAD_DATA.tables.values():
        assert spec.doc
        assert all(field.metadata[b"doc"] for field in spec.schema)
    assert [field.name for field in SQUAD_DATA.param_fields] == [*PAPER, "train_limit", "dev_limit"]


def test_planning_imports_no_torch():
    code = (
        "import sys; from tasks.squad.questions import plan; "
        "plan.windows_job('builtin', None, 'builtin', max_length=64, doc_stride=16, max_query_length=24, "
        "train_limit=None, dev_limit=None); "
        "print([name for name in ('torch', 'transformers', 'datasets', 'pandas') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
