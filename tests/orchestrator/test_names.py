"""No name and no path leads out of a store."""

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.figure import Figure

from orchestrator.experiment import Experiment, Stage, Summary, TableSpec
from orchestrator.names import UnsafePath, check_name, relative
from orchestrator.storage import BadAddress, Storage
from orchestrator.store import Store
from tests import toy

BAD = [
    "../x",
    "..",
    "a/../b",
    "a/b",
    "/etc/x",
    "",
    ".",
    ".hidden",
    "_parts",
    "_x",
    "-rf",
    "a\0b",
    "a\\b",
    "a\nb",
    "a b",
    "é",
    "x" * 129,
    "[red]x",
    "<script>",
    "x\n",
]
SPEC = TableSpec(schema=pa.schema([("value", pa.float64())]), key=())


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused_wherever_it_is_given(name, tmp_path):
    stage = {"function": "tests.toy:square", "params": toy.SquareParams}
    experiment = {
        "config": toy.Config,
        "presets": {},
        "stages": (),
        "plan": toy.plan,
        "reduce": toy.reduce,
    }
    for declare in (
        lambda: check_name("table", name),
        lambda: Stage(name=name, **stage),
        lambda: Stage(name="good", tables={name: SPEC}, **stage),
        lambda: Experiment(name=name, **experiment),
        lambda: Summary(tables={name: pd.DataFrame()}),
        lambda: Summary(tables={}, figures={name: Figure()}),
        lambda: Store(tmp_path, name, {}),
        lambda: Store(tmp_path, "good", {name: SPEC}),
    ):
        with pytest.raises(ValueError, match=r"name .* is no file name"):
            declare()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["jobs", "Jobs"])
def test_the_orchestrators_own_table(name, tmp_path):
    with pytest.raises(ValueError, match="orchestrator's own"):
        Stage(name="good", tables={name: SPEC}, function="tests.toy:square", params=toy.SquareParams)
    with pytest.raises(ValueError, match="orchestrator's own"):
        Store(tmp_path, "artifacts", {})
    with pytest.raises(ValueError, match="orchestrator's own"):
        Store(tmp_path, "checkpoints", {})


@pytest.mark.parametrize("name", ["scores", "SST-2", "v1.5", "glue_depth", "7b", "jobs_by_hour"])
def test_good_names(name):
    check_name("table", name)


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/etc/passwd", "a//b", "a/", "", ".", "a/./b", "a\0", "a\\..\\b"]
)
def test_storage_stays_inside(path, tmp_path):
    storage = Storage.at(tmp_path / "store")
    (tmp_path / "x").write_text("outside")
    for act in (
        lambda: relative(path),
        lambda: storage.below(path),
        lambda: storage.exists(path),
        lambda: storage.read(path),
        lambda: storage.open(path),
        lambda: storage.write(path, b"x"),
        lambda: storage.move("x", path),
        lambda: storage.move(path, "y"),
        lambda: storage.delete(path),
        lambda: storage.delete_folder(path),
        lambda: storage.upload(tmp_path, "y", [path]),
        lambda: storage.download("y", tmp_path / "z", [path]),
    ):
        with pytest.raises(UnsafePath, match="no path inside a store"):
            act()
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x").read_text() == "outside"


@pytest.mark.parametrize("run", ["../../x", "/x", "a\0b"])
def test_a_run_stays_inside(run, tmp_path):
    store = Store.of(tmp_path, toy.EXPERIMENT)
    with pytest.raises(UnsafePath):
        store.write_run(run, {}, pa.table({"job_id": ["a"]}))
    with pytest.raises(UnsafePath):
        store.planned_ids(run)


def test_links_in_a_store_lead_nowhere(tmp_path):
    """Somebody has put links into the results directory: nothing is written or deleted through them."""
    outside = tmp_path / "outside"
    (outside / "id").mkdir(parents=True)
    (outside / "id" / "_DONE.json").write_text("precious")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "link").symlink_to(outside)
    storage = Storage.at(tmp_path / "store")
    for act in (
        lambda: storage.write("link/x", b"x"),
        lambda: storage.write("link/id/x", b"x"),
        lambda: storage.delete("link/id/_DONE.json"),
        lambda: storage.delete_folder("link/id"),
        lambda: storage.delete_folder("link"),
        lambda: storage.move("link/id", "mine"),
        lambda: storage.move("link/id/_DONE.json", "mine"),
    ):
        with pytest.raises(UnsafePath, match="remove the link"):
            act()
    assert os.listdir(outside) == ["id"]
    assert (outside / "id" / "_DONE.json").read_text() == "precious"
    storage.delete("link")  # the link itself may go
    assert os.listdir(outside) == ["id"]


def test_a_results_directory_may_be_reached_by_a_link(tmp_path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "scratch")
    Storage.at(tmp_path / "results").below("toy").write("a/x", b"x")
    assert (tmp_path / "scratch" / "toy" / "a" / "x").read_bytes() == b"x"


def test_a_file_that_is_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "precious").write_text("precious")
    storage = Storage.at(tmp_path / "store")
    storage.write("x", b"old")
    Path(storage.root, "x").unlink()
    Path(storage.root, "x").symlink_to(tmp_path / "precious")
    storage.write("x", b"new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert storage.read("x") == b"new"


def test_a_sweep_whose_store_has_a_link_in_it_stops_with_one_line(sweep, out, tmp_path, capsys):
    (tmp_path / "outside").mkdir()
    (out / "toy").mkdir(parents=True)
    (out / "toy" / "_runs").symlink_to(tmp_path / "outside")
    assert sweep("--numbers", "1") == 2
    assert "remove the link" in capsys.readouterr().err
    assert list((tmp_path / "outside").iterdir()) == []


def test_keys_in_an_address_are_in_no_text_of_it():
    text = "s3://AKIAKEY:hunter2hunter2@bucket/a/b?region=us-east-1"
    storage = Storage.at(text).below("toy")
    assert storage.root == "s3://bucket/a/b/toy"
    assert storage.address == "s3://AKIAKEY:hunter2hunter2@bucket/a/b/toy?region=us-east-1"
    assert Storage.at(storage.address) == storage
    assert "hunter2" not in repr(storage) + str(storage)


def test_an_address_with_a_wrong_option_is_one_line(sweep, capsys):
    assert (
        sweep("--numbers", "1", "--out", "s3://bucket/x?endpoint_override=localhost:1&secret_key=hunter2hunter2") == 2
    )
    shown = capsys.readouterr()
    assert "s3://bucket/x" in shown.err
    assert "secret_key" in shown.err
    assert "hunter2" not in shown.err + shown.out
    with pytest.raises(BadAddress):
        Storage.at("bogus://x/y").exists("z")
