"""Whether a machine sees what the driver has written; and what a Ray job's driver may and may not do."""

import datetime
import json
import os
from pathlib import Path

import pytest

from orchestrator import shared
from orchestrator.backend import CannotRun
from orchestrator.code import code_digest, last_changed
from orchestrator.options import UsageError, parse
from orchestrator.shared import NotShared, check_mark, check_writable
from orchestrator.storage import Storage
from orchestrator.worker import run_call
from tests.orchestrator.test_worker import make_call

IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(shared, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(shared, "_SEEN", set())


def test_a_mark_that_is_there_is_looked_for_once_a_process(tmp_path):
    mark = (str(tmp_path), "_runs/one/config.json")
    Storage.at(tmp_path).write(mark[1], b"{}")
    check_mark(mark)
    (tmp_path / mark[1]).unlink()
    check_mark(mark)
    with pytest.raises(NotShared, match=r"_runs/two/config.json, which the driver has written, is not there"):
        check_mark((str(tmp_path), "_runs/two/config.json"))


def test_a_mark_that_comes_late_is_found(tmp_path, monkeypatch):
    """Network file systems show a new file a little later on other machines."""
    mark = (str(tmp_path), "mark")
    monkeypatch.setattr(shared.time, "sleep", lambda seconds: (tmp_path / "mark").touch())
    check_mark(mark)


def test_a_job_on_a_machine_that_does_not_share_the_results_fails_with_what_to_do(tmp_path):
    outcome = run_call(make_call(tmp_path, mark=(str(tmp_path), "absent")))
    assert (outcome.status, outcome.error) == ("failed", "NotShared")
    assert f"{outcome.host} does not share the results: {tmp_path}/absent" in str(outcome.message)
    assert "Give --out (or SWEEP_OUT)" in str(outcome.message)
    assert not list(tmp_path.iterdir())  # nothing was written where nobody looks
    (tmp_path / "there").touch()
    assert run_call(make_call(tmp_path, mark=(str(tmp_path), "there"))).status == "done"


def test_a_place_that_cannot_be_written(tmp_path):
    check_writable(str(tmp_path / "new"), ".from-me")
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(NotShared, match=f"cannot write to {tmp_path}/file/artifacts: .*Give --out"):
        check_writable(str(tmp_path / "file" / "artifacts"), ".from-me")


def test_the_time_of_the_last_sync_is_the_time_of_the_last_change(tmp_path, monkeypatch):
    for package in ("orchestrator", "tasks", "models", "metrics"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "module.py").touch()
    monkeypatch.setattr("orchestrator.code.ROOT", tmp_path)
    before = last_changed()
    assert abs(before - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=10)
    path = tmp_path / "models" / "module.py"
    while last_changed() == before:  # the clock of a file system ticks in milliseconds
        path.write_text("x = 1\n")
    changed = last_changed()
    os.utime(path, (1_000_000_000, 1_000_000_000))  # what `rsync --times` does after it has written a file
    assert last_changed() >= changed
    (tmp_path / "notes.py").touch()
    assert last_changed() < datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=10)


def test_a_run_first_says_what_code_it_is(sweep, capsys):
    assert sweep("--numbers", "1") == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"code {code_digest()}, last changed here {last_changed():%Y-%m-%d %H:%M:%S} UTC"


def arguments(*more: str) -> list[str]:
    return ["--experiment", "glue_depth", "--preset", "quick", *more]


def test_the_place_of_the_results_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("SWEEP_OUT", raising=False)
    assert parse(arguments())[1].out == "results"
    monkeypatch.setenv("SWEEP_OUT", "s3://bucket/sweeps")
    assert parse(arguments())[1].out == "s3://bucket/sweeps"
    assert parse(arguments("--out", "here"))[1].out == "here"
    monkeypatch.setenv("SWEEP_OUT", "")
    assert parse(arguments())[1].out == "results"


def test_results_in_the_temporary_folder_of_a_ray_job_are_refused(monkeypatch):
    monkeypatch.delenv("SWEEP_OUT", raising=False)
    monkeypatch.setenv(IN_A_JOB, json.dumps({"runtime_env": {"working_dir": "gcs://x.zip"}}))
    for relative in ([], ["--out", "results"], ["--out", "./a/b"]):
        with pytest.raises(UsageError, match="temporary folder of this Ray job"):
            parse(arguments(*relative))
    for good in ("/shared/x", "s3://bucket/x", "~/x"):
        assert parse(arguments("--out", good))[1].out == good
    monkeypatch.setenv("SWEEP_OUT", "/shared/x")
    assert parse(arguments())[1].out == "/shared/x"


def test_what_a_driver_ships(monkeypatch, tmp_path):
    from orchestrator.code import ROOT
    from orchestrator.ray_backend.connect import _shipped

    monkeypatch.delenv(IN_A_JOB, raising=False)
    assert _shipped()["working_dir"] == str(ROOT)
    monkeypatch.setenv(IN_A_JOB, json.dumps({"runtime_env": {"env_vars": {}}, "metadata": {}}))
    assert _shipped()["working_dir"] == str(ROOT)  # the job has none of its own
    monkeypatch.setenv(IN_A_JOB, json.dumps({"runtime_env": {"working_dir": "gcs://x.zip"}}))
    monkeypatch.chdir(ROOT)
    assert _shipped() == {}  # Ray refuses a second one
    monkeypatch.chdir(Path(tmp_path))
    with pytest.raises(CannotRun, match="is not the project, which is in"):
        _shipped()


@pytest.mark.parametrize(
    ("place", "kinds", "device", "warned"),
    [
        ("{tmp}", [{"CPU": 4.0}], 1, True),
        ("{tmp}", [{"CPU": 4.0}], 2, False),  # a mount, which others may have too
        ("{tmp}", [], 1, False),  # nobody will join
        ("s3://bucket/sweeps", [{"CPU": 4.0}], 1, False),
    ],
)
def test_results_on_the_heads_own_disk_before_any_worker_has_joined(
    tmp_path, monkeypatch, place, kinds, device, warned
):
    from orchestrator.ray_backend import nodes

    place = place.format(tmp=tmp_path)
    monkeypatch.setattr(nodes.ray, "nodes", lambda: [{"Alive": True}, {"Alive": False}])
    monkeypatch.setattr(nodes, "autoscaled_nodes", lambda: kinds)
    monkeypatch.setattr(nodes, "_device", {"/": 1, place: device}.__getitem__)
    said = nodes.check_nodes((place, "mark"), f"{place}/artifacts")
    assert (said is not None) == warned
    if said is not None:
        assert said.startswith(f"{tmp_path} is on this machine's own disk")
        assert "Give --out (or SWEEP_OUT)" in said
