"""`--status`: what it says of a sweep that runs, has ended or was killed, and where it has the plan from."""

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import commands
from orchestrator.cli import main
from orchestrator.heartbeat import SILENT_SECONDS, Heartbeat, RunState, read_state
from orchestrator.storage import Storage
from tasks import EXPERIMENTS

FACTS = {"slots": 8, "in_flight": {"toy_square": 5}, "done": 1, "failed": 2, "left": 7}


@pytest.fixture
def status(monkeypatch, tmp_path: Path, capsys) -> Callable[..., str]:
    """Run a toy sweep inline, with `--status` or without; returns what it printed."""
    monkeypatch.setitem(EXPERIMENTS, "toy", "tests.toy")

    def run(*arguments: object) -> str:
        main(["--experiment", "toy", "--backend", "inline", "--out", str(tmp_path), *map(str, arguments)])
        return capsys.readouterr().out

    return run


def last_word(out: Path, age: float = 0.0, **facts: object) -> None:
    """Leave a driver's word of this age, in seconds, in the newest run."""
    run = max((out / "toy" / "_runs").iterdir())
    Heartbeat(Storage.at(out / "toy"), run.name, "on a test").beat(**FACTS | facts)
    state = json.loads((run / "state.json").read_text())
    written = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    (run / "state.json").write_text(json.dumps(state | {"updated_at": written.isoformat()}))


def test_a_sweep_that_has_ended(status):
    status("--numbers", "1-3", "--wrong", "2", "--how", "raise")
    shown = status("--numbers", "1-3", "--wrong", "2", "--how", "raise", "--status")
    assert "3 of 4 jobs done" in shown
    assert re.search(r": ended \(failed\) \d+ s ago on ", shown)
    assert "inline, in the driver's process" in shown
    assert "1 job of toy_square failed: ValueError: number 2 is bad" in shown
    slowest = shown.partition("slowest jobs:\n")[2].splitlines()[:3]
    assert [line.split()[2] for line in slowest if " s  " in line].count("toy_square") == 2


def test_a_sweep_that_runs(status, tmp_path):
    status("--numbers", "1-3")
    last_word(tmp_path, waiting="the autoscaler starts 1 × big (asked for)")
    shown = status("--numbers", "1-9", "--status")  # six of the stage are new
    assert re.search(r": running \(last word \d+ s ago from process \d+ on ", shown)
    assert "jobs in flight: 5 of toy_square, 7 left of this run, 2 failed; about 0 s left on 8 slots" in shown
    assert shown.count("the autoscaler starts 1 × big (asked for)") == 1


def test_a_driver_that_was_killed(status, tmp_path):
    status("--numbers", "1-3")
    last_word(tmp_path, age=SILENT_SECONDS + 60)
    assert "its driver is gone without an end (last word 3 min ago" in status("--numbers", "1-3", "--status")


@pytest.mark.parametrize("text", [b"", b"[]", b'{"host": 3}', b"\xff\xfe", b'{"updated_at": {}}'])
def test_a_word_that_cannot_be_read_is_none(status, tmp_path, text):
    status("--numbers", "1-3")
    [run] = (tmp_path / "toy" / "_runs").iterdir()
    (run / "state.json").write_bytes(text)
    assert read_state(Storage.at(tmp_path / "toy"), run.name) is None
    assert "its driver has left no word" in status("--numbers", "1-3", "--status")


def test_a_recorded_plan_is_read_and_says_the_same(status, monkeypatch, tmp_path):
    status("--numbers", "1-3", "--wrong", "2", "--how", "raise")

    def counted(text: str) -> str:
        return text.partition("\n")[2].partition("run ")[2].partition("\n")[2]

    recorded = status("--numbers", "1-3", "--wrong", "2", "--how", "raise", "--status")
    with monkeypatch.context() as patch:
        patch.setattr(commands.status, "recorded_plan", lambda *_: None)
        made = status("--numbers", "1-3", "--wrong", "2", "--how", "raise", "--status")
    assert counted(recorded) == counted(made)
    assert "toy_square" in counted(made)
    made_plans = []
    monkeypatch.setattr(commands, "make_plan", lambda jobs: made_plans.append(jobs) or pytest.fail("planned again"))
    status("--numbers", "1-3", "--wrong", "2", "--how", "raise", "--status")
    with pytest.raises(pytest.fail.Exception):  # another config is another plan
        status("--numbers", "1-4", "--status")
    (max((tmp_path / "toy" / "_runs").iterdir()) / "plan.parquet").write_bytes(b"PAR1")
    with pytest.raises(pytest.fail.Exception):  # and a damaged record is none
        status("--numbers", "1-3", "--wrong", "2", "--how", "raise", "--status")


def test_the_age_of_a_word():
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=90)
    state = RunState(updated_at=now.isoformat(), host="h", pid=1, backend="b", **FACTS)  # pyright: ignore[reportArgumentType]
    assert 90 <= state.age < 120
