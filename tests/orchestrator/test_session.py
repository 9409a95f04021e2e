"""Whole sweeps of the toy experiment through the command line, on the inline backend."""

import json
import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from orchestrator.artifacts import Artifacts
from orchestrator.experiment import Summary
from orchestrator.storage import Storage
from tests import toy


def squares(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "toy" / "squares.parquet")


def attempts(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "toy" / "jobs.parquet")


def marks(folder: Path) -> dict[str, int]:
    """How often each number's job ran."""
    names = [path.name.rpartition("-")[0] for path in folder.iterdir()]
    return {name: names.count(name) for name in names}


def test_a_sweep_from_end_to_end(sweep, out, capsys):
    assert sweep("--numbers", "1-3", "--scale", "2") == 0
    frame = squares(out)
    assert list(frame.columns) == ["part", "value", "number", "scale", "data", "job_id"]
    assert sorted(frame["value"]) == [2.0, 2.0, 8.0, 8.0, 18.0, 18.0]
    assert set(frame["data"]) == {"numbers@v1"}
    jobs = attempts(out)
    assert set(jobs["status"]) == {"done"}
    assert len(jobs) == 4
    assert pd.read_parquet(out / "toy" / "summary" / "means.parquet")["value"].tolist() == [2.0, 8.0, 18.0]
    [run] = (out / "toy" / "_runs").iterdir()
    record = json.loads((run / "config.json").read_text())
    assert record["config"]["numbers"] == [1, 2, 3]
    assert "--numbers 1-3" in record["command"]
    assert len(pq.read_table(run / "plan.parquet")) == 4
    assert (run / "log").exists()
    shown = capsys.readouterr().out
    assert "4 of 4 jobs done" in shown
    assert str(out / "toy" / "squares.parquet") in shown
    assert not list(out.rglob("_tmp-*"))


def test_a_finished_sweep_is_extended_by_new_jobs_only(sweep, out, tmp_path, capsys):
    (tmp_path / "marks").mkdir()
    assert sweep("--numbers", "1-3", "--marks", tmp_path / "marks") == 0
    assert sweep("--numbers", "1-3", "--marks", tmp_path / "marks") == 0
    assert "0 jobs to run, 4 already there" in capsys.readouterr().out
    assert sweep("--numbers", "2-5", "--marks", tmp_path / "marks") == 0
    assert marks(tmp_path / "marks") == {"prepare": 1, "1": 1, "2": 1, "3": 1, "4": 1, "5": 1}
    assert sorted(set(squares(out)["number"])) == [1, 2, 3, 4, 5]  # the table has all; the summary this config's
    assert pd.read_parquet(out / "toy" / "summary" / "means.parquet")["number"].tolist() == [2, 3, 4, 5]


def test_failures_are_reported_and_run_again(sweep, out, tmp_path, capsys):
    (tmp_path / "marks").mkdir()
    wrong = ["--wrong", "2-4", "--how", "raise", "--marks", tmp_path / "marks"]
    assert sweep("--numbers", "1-5", *wrong) == 1
    shown = capsys.readouterr().out
    assert "3 jobs of toy_square failed: ValueError: number 2 is bad" in shown
    assert shown.count("Traceback") == 1  # one for each cause
    assert "the same command runs just those again" in shown
    assert "3 of 6 jobs done" in shown
    assert marks(tmp_path / "marks") == {"prepare": 1, "1": 1, "2": 2, "3": 2, "4": 2, "5": 1}
    assert attempts(out).query("current")["status"].value_counts().to_dict() == {"done": 3, "failed": 3}
    assert sweep("--numbers", "1-5", "--marks", tmp_path / "marks") == 0  # mended
    assert marks(tmp_path / "marks") == {"prepare": 1, "1": 1, "2": 3, "3": 3, "4": 3, "5": 1}
    assert len(attempts(out)) == 6 + 3 + 3
    assert "3 jobs to run, 3 already there" in capsys.readouterr().out


def test_a_job_that_fails_once_is_tried_again(sweep, out, tmp_path):
    (tmp_path / "marks").mkdir()
    arguments = ["--numbers", "1-2", "--wrong", "2", "--how", "once", "--marks", tmp_path / "marks"]
    assert sweep(*arguments) == 0
    assert sorted(attempts(out).query("stage == 'toy_square'")["attempt"]) == [1, 1, 2]


def test_a_blocked_sweep(sweep, out, capsys):
    assert sweep("--numbers", "1-3", "--how", "prepare") == 1
    shown = capsys.readouterr().out
    assert re.search(r"3 jobs are blocked, since jobs that they need failed: [0-9a-f]{16}", shown)
    assert "0 of 4 jobs done" in shown
    assert not (out / "toy" / "squares.parquet").exists()


def test_rows_of_another_type_fail_their_job(sweep, out):
    assert sweep("--numbers", "1-3", "--wrong", "2", "--how", "type") == 1
    assert attempts(out).query("status == 'failed'")["error"].unique().tolist() == ["BadRows"]


def test_a_timeout(sweep, out):
    assert sweep("--numbers", "1-2", "--wrong", "2", "--how", "hang", "--job-timeout", "0.3") == 1
    assert attempts(out).query("current")["status"].value_counts().to_dict() == {"done": 2, "timeout": 1}


def test_plan_and_status_run_nothing(sweep, out, capsys):
    assert sweep("--numbers", "1-3", "--plan") == 0
    shown = capsys.readouterr().out
    assert "4 jobs, 4 to run" in shown
    assert re.search(r"toy_square +3 +3 +0 +0 +0 +6 +unknown", shown)
    assert sweep("--numbers", "1-3", "--status") == 0
    assert "0 of 4 jobs done\nnever run\n" in capsys.readouterr().out
    assert not out.exists()
    assert sweep("--numbers", "1-3", "--wrong", "3", "--how", "raise") == 1
    capsys.readouterr()
    assert sweep("--numbers", "1-4", "--plan") == 0
    assert re.search(r"toy_square +4 +1 +2 +1 +0 +4 +0\.00", capsys.readouterr().out)
    assert sweep("--numbers", "1-4", "--status") == 0
    shown = capsys.readouterr().out
    assert "ValueError: number 3 is bad" in shown
    assert "squares.parquet" in shown


def test_rows_of_other_code_run_again_when_asked(sweep, out, tmp_path, monkeypatch, capsys):
    (tmp_path / "marks").mkdir()
    arguments = ["--numbers", "1-2", "--marks", tmp_path / "marks"]
    assert sweep(*arguments) == 0
    for module in ("session", "commands", "worker", "runs"):
        monkeypatch.setattr(f"orchestrator.{module}.code_digest", lambda: "new-digest")
    capsys.readouterr()
    assert sweep(*arguments, "--plan") == 0
    assert "3 done jobs have rows of other code; --rerun-drifted runs them again" in capsys.readouterr().out
    assert sweep(*arguments) == 0
    assert marks(tmp_path / "marks") == {"prepare": 1, "1": 1, "2": 1}
    [artifact] = (out / "artifacts").rglob("_DONE.json")
    before = artifact.stat().st_mtime_ns
    assert sweep(*arguments, "--rerun-drifted") == 0
    assert marks(tmp_path / "marks") == {"prepare": 2, "1": 2, "2": 2}
    assert artifact.stat().st_mtime_ns > before  # the artifact is the new code's
    assert set(attempts(out).query("current")["code"]) == {"new-digest"}
    assert len(squares(out)) == 4
    assert sweep(*arguments, "--rerun-drifted") == 0
    assert marks(tmp_path / "marks") == {"prepare": 2, "1": 2, "2": 2}


def test_gc_deletes_artifacts_that_no_last_plan_names(sweep, out, capsys):
    assert sweep("--numbers", "1", "--scale", "1") == 0
    assert sweep("--numbers", "1", "--scale", "2") == 0
    artifacts = Artifacts(Storage.at(out / "artifacts"))
    assert len(artifacts.all()) == 2
    assert sweep("--numbers", "1", "--scale", "2", "--gc") == 0
    assert "1 artifacts deleted, 1 kept" in capsys.readouterr().out
    assert len(artifacts.all()) == 1
    assert sweep("--numbers", "1-2", "--scale", "1") == 0  # what is needed after all is made again
    assert len(artifacts.all()) == 2


def test_reduce_only(sweep, out, tmp_path, monkeypatch):
    (tmp_path / "marks").mkdir()
    assert sweep("--numbers", "1-3", "--marks", tmp_path / "marks") == 0
    (out / "toy" / "report.html").unlink()
    (out / "toy" / "squares.parquet").unlink()
    assert sweep("--numbers", "1-5", "--marks", tmp_path / "marks", "--reduce-only") == 0
    assert (out / "toy" / "report.html").exists()
    assert len(squares(out)) == 6
    assert len(marks(tmp_path / "marks")) == 4


def test_reduce_of_nothing_has_all_columns(sweep, monkeypatch):
    seen = []

    def reduce(results, config):
        seen.append((list(results.table("squares").columns), len(results.jobs)))
        return Summary(tables={})

    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, reduce=reduce))
    assert sweep("--reduce-only") == 0
    assert seen == [(["part", "value", "number", "scale", "data", "job_id"], 0)]


def test_an_error_in_reduce_hides_no_result(sweep, out, monkeypatch, capsys):
    def reduce(results, config):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, reduce=reduce))
    assert sweep("--numbers", "1") == 1
    shown = capsys.readouterr().out
    assert "ZeroDivisionError: a bug" in shown
    assert "--reduce-only" in shown
    assert "2 of 2 jobs done" in shown
    assert len(squares(out)) == 2


def test_the_report_is_one_self_contained_page(sweep, out, monkeypatch):
    import matplotlib.pyplot as plt

    def reduce(results, config):
        figure, axes = plt.subplots()
        axes.plot([1, 2], [3, 4])
        plt.close(figure)
        table = pd.DataFrame({"name": ["<b>bold</b>", None], "value": [1.23456, float("nan")]})
        return Summary(
            tables={"means": table},
            figures={"curve": figure},
            captions={"curve": "A <i>curve</i>."},
            notes=["a < b & c"],
        )

    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, reduce=reduce))
    monkeypatch.setattr(toy, "square", raise_html)
    assert sweep("--numbers", "1-3,7") == 1
    page = (out / "toy" / "report.html").read_text()
    assert not re.search(r"https?://", page)
    assert not re.search(r"<(script|link|iframe)|src=\"(?!data:)", page)
    assert "data:image/png;base64," in page
    assert "4 jobs of toy_square failed: ValueError: &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("Traceback") == 1
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "A &lt;i&gt;curve&lt;/i&gt;." in page
    assert "a &lt; b &amp; c" in page
    assert "<td>NaN</td>" in page
    assert "<td>1.235</td>" in page
    assert "1-3,7" in page  # the config, ranges as on the command line
    first = {path.name: path.read_bytes() for path in (out / "toy" / "figures").iterdir()}
    assert set(first) == {"curve.png", "curve.svg"}
    assert sweep("--numbers", "1-3,7", "--reduce-only") == 0
    assert {path.name: path.read_bytes() for path in (out / "toy" / "figures").iterdir()} == first
    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, reduce=toy.reduce))
    assert sweep("--numbers", "1-3,7", "--reduce-only") == 0
    assert list((out / "toy" / "figures").iterdir()) == []  # figures of before are gone


def raise_html(params, context):
    raise ValueError("<script>alert(1)</script>")


def test_describe(sweep, out, capsys):
    assert sweep("--describe") == 0
    shown = capsys.readouterr().out
    assert "squares.parquet: One row a half." in shown
    assert re.search(r"number +int64 +parameter of the job", shown)
    assert "jobs.parquet" in shown
    assert not out.exists()


def test_a_plan_that_cannot_be_made_is_one_line(sweep, out, monkeypatch, capsys):
    def plan(config):
        raise FileNotFoundError("data/RTE/train.tsv is missing: give --data-dir")

    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, plan=plan))
    assert sweep() == 2
    assert capsys.readouterr().err == "sweep.py: data/RTE/train.tsv is missing: give --data-dir\n"
    assert not out.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_interrupt_finishes_what_runs(sweep, out, monkeypatch, capsys, number):
    real = toy.square

    def square(params, context):
        if params.number == 3:
            os.kill(os.getpid(), number)
            time.sleep(0)  # the handler runs here
        return real(params, context)

    monkeypatch.setattr(toy, "square", square)
    assert sweep("--numbers", "1-6") == 130
    shown = capsys.readouterr().out
    assert "what runs is finished" in shown
    assert "3 jobs are left; the same command goes on from here" in shown
    assert sorted(set(squares(out)["number"])) == [1, 2, 3]
    assert (out / "toy" / "report.html").exists()
    monkeypatch.setattr(toy, "square", real)
    assert sweep("--numbers", "1-6") == 0
    assert sorted(set(squares(out)["number"])) == [1, 2, 3, 4, 5, 6]


def test_the_second_interrupt_stops_now(sweep, out, monkeypatch):
    real = toy.square

    def square(params, context):
        if params.number == 3:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0)
        return real(params, context)

    monkeypatch.setattr(toy, "square", square)
    before = signal.getsignal(signal.SIGINT)  # a shell's background process begins with SIGINT ignored
    assert sweep("--numbers", "1-6") == 130
    assert sorted(set(squares(out)["number"])) == [1, 2]
    assert not (out / "toy" / "report.html").exists()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_refused_start_leaves_nothing(sweep, out, monkeypatch, capsys):
    from orchestrator.backend import CannotRun, InlineBackend

    def gpus(self, wants):
        raise CannotRun("a job asks for 1 GPUs, the nodes have 0")

    monkeypatch.setattr(InlineBackend, "gpus", gpus)
    assert sweep("--numbers", "1") == 2
    assert capsys.readouterr().err == "sweep.py: a job asks for 1 GPUs, the nodes have 0\n"
    assert not out.exists()
