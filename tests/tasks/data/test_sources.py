import subprocess
import sys
from pathlib import Path

import pytest

from tasks.data import builtin, glue_files, glue_hub, sources
from tasks.data.errors import DataError
from tasks.data.examples import BUILTIN_TASKS
from tasks.data.places import Place

COMMIT = "b" * 40


@pytest.fixture
def rte(write_glue, glue_text):
    rows = [("a", "b", "entailment"), ("c", "d", "not_entailment")]
    return write_glue("RTE", {"train": glue_text("RTE", "train", rows), "dev": glue_text("RTE", "dev", rows[:1])})


def test_builtin_needs_nothing():
    for task in BUILTIN_TASKS:
        source = sources.locate(task, "/nonexistent")
        assert (source.kind, source.path, source.revision) == ("builtin", None, None)
        assert source.fingerprint == builtin.fingerprint(task) == sources.fingerprint(task, Place(kind="builtin"))
        for split, size in source.sizes.items():
            assert len(sources.read(task, split, Place(kind="builtin"))) == size


def test_files(rte):
    source = sources.locate("RTE", str(rte))
    assert source == sources.Source(
        task="RTE",
        kind="files",
        fingerprint=glue_files.fingerprint("RTE", rte),
        sizes={"train": 2, "dev": 1},
        path=str(rte),
    )
    assert sources.fingerprint("RTE", Place(kind="files", path=source.path)) == source.fingerprint
    assert sources.read("RTE", "dev", Place(kind="files", path=source.path)).first == ["a"]


def test_the_path_is_absolute(rte, monkeypatch):
    monkeypatch.chdir(rte.parent)
    assert sources.locate("RTE", "glue").path == str(rte)
    monkeypatch.setenv("HOME", str(rte.parent))
    assert sources.locate("RTE", "~/glue").path == str(rte)


def test_changed_files_are_read_again_and_others_not(rte, monkeypatch):
    reads = []
    real = glue_files.fingerprint
    monkeypatch.setattr(glue_files, "fingerprint", lambda *args: reads.append(args) or real(*args))
    first = sources.locate("RTE", str(rte))
    assert sources.locate("RTE", str(rte)) is first
    assert len(reads) == 1
    with (rte / "RTE" / "dev.tsv").open("a") as file:
        file.write("0\tx\ty\tentailment\n")
    second = sources.locate("RTE", str(rte))
    assert second.fingerprint != first.fingerprint
    assert second.sizes == {"train": 2, "dev": 2}


def test_hub(monkeypatch):
    monkeypatch.setattr(glue_hub, "resolve_revision", lambda task: COMMIT)
    source = sources.locate("MNLI", None)
    assert (source.kind, source.path, source.fingerprint, source.revision) == ("hub", None, COMMIT, COMMIT)
    assert source.sizes == {"train": 392702, "dev_matched": 9815, "dev_mismatched": 9832}
    assert sources.fingerprint("MNLI", Place(kind="hub", revision=COMMIT)) == COMMIT
    monkeypatch.setattr(glue_hub, "read_split", lambda *args: args)
    assert sources.read("MNLI", "train", Place(kind="hub", revision=COMMIT)) == ("MNLI", "train", COMMIT)


def test_wrong_data_dir_names_path_and_what_is_there(rte, tmp_path):
    with pytest.raises(DataError, match="nowhere: no such directory; give --data-dir a directory with the folder RTE"):
        sources.locate("RTE", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="glue/QQP: no such folder; task folders that are there: RTE; give --data-dir"):
        sources.locate("QQP", str(rte))
    with pytest.raises(DataError, match="task folders that are there: none of the nine"):
        sources.locate("QQP", str(rte / "RTE"))
    (rte / "RTE" / "dev.tsv").unlink()
    with pytest.raises(DataError, match=r"RTE/dev\.tsv: no such file"):
        sources.locate("RTE", str(rte))


def test_a_place_that_is_not_given():
    with pytest.raises(ValueError, match="no data are read from files; expected builtin, files with a path"):
        sources.read("RTE", "train", Place(kind="files"))
    with pytest.raises(ValueError, match="or hub with a revision"):
        sources.fingerprint("RTE", Place(kind="hub"))
    with pytest.raises(ValueError, match="no task is called 'rte'"):
        sources.locate("rte", None)


def test_planning_imports_no_torch():
    code = (
        "import sys, tasks.data.plan as plan\n"
        "heavy = {'torch', 'transformers', 'datasets', 'pandas', 'sklearn', 'ray'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "job = plan.tokens_job('similarity', None, 'builtin', 64, None, None)\n"
        "assert job.id\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr
