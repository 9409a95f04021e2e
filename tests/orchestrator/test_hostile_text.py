"""Text from data, options and errors: escaped in the report, harmless on the terminal, and without secrets anywhere."""

import html.parser
import io
import logging
import os
import pickle
import re
import sqlite3
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from rich.console import Console

from orchestrator import session
from orchestrator.call import Outcome
from orchestrator.experiment import Summary
from orchestrator.failures import group
from orchestrator.progress import Progress
from orchestrator.report import Report, render
from orchestrator.store import Store
from tests import toy

HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(2)>"'><a href="javascript:alert(3)">x</a> """
HOSTILE += "{{ 7*7 }} \x1b[2J\x00"


class Page(html.parser.HTMLParser):
    """All tags with their attributes, and the text between them."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


def check_harmless(page: str) -> Page:
    read = Page(page)
    allowed = "html head meta title style body h1 h2 p pre div table tr th td ul li details summary code span img"
    assert {tag for tag, _ in read.tags} <= {*allowed.split(), "figure", "figcaption"}
    for tag, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "style", "srcdoc")]
        assert tag != "img" or (attributes["src"] or "").startswith("data:image/png;base64,")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", page)
    return read


def test_everything_on_the_page_is_escaped():
    [cause] = group([{"status": "failed", "stage": HOSTILE, "error": HOSTILE, "message": HOSTILE, "traceback": HOSTILE,
                      "job_id": HOSTILE}])  # fmt: skip
    frame = pd.DataFrame({HOSTILE: [HOSTILE, None], "b": [1.5, float("nan")]})
    page = render(
        Report(
            title=HOSTILE,
            made_at=HOSTILE,
            run=HOSTILE,
            command=HOSTILE,
            config={HOSTILE: HOSTILE},
            code=HOSTILE,
            versions={HOSTILE: HOSTILE},
            stages=[],
            notes=[HOSTILE, Marked(HOSTILE)],  # pyright: ignore[reportArgumentType]
            pictures={HOSTILE: b"png"},
            tables={HOSTILE: frame},
            captions={HOSTILE: HOSTILE},
            causes=[cause],
            problems=[HOSTILE],
        )
    )
    read = check_harmless(page)
    assert read.words.count("<script>alert(1)</script>") >= 15
    assert "{{ 7*7 }}" in read.words
    assert "49" not in read.words
    policy = next(
        a["content"] for t, a in read.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script" not in policy


class Marked(str):
    """Data that claim to be HTML."""

    def __html__(self):
        return str(self)


def test_a_sweep_with_hostile_data_and_errors(sweep, out, monkeypatch, capsys):
    def square(params, context):
        if params.number == 2:
            raise type("<b>Error\x1b[31m", (Exception,), {})(HOSTILE)
        return {"squares": [{"part": part, "value": 1.0} for part in params.parts]}

    def reduce(results, config):
        figure = Figure()
        axes = figure.subplots()
        axes.plot([0, 1], label=HOSTILE[:-6])
        axes.set_title("</text></svg><script>alert(1)</script> -->")
        axes.set_xticks([0], ["&<javascript:alert(1)>"])
        axes.legend()
        table = pd.DataFrame({HOSTILE: [HOSTILE]})
        return Summary(
            tables={"t": table}, figures={"f": figure}, captions={"t": HOSTILE, "f": HOSTILE}, notes=[HOSTILE]
        )

    monkeypatch.setattr(toy, "square", square)
    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, reduce=reduce))
    assert sweep("--numbers", "1-3") == 1
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert "\\x1b[2J\\x00" in shown.out
    assert "<b>Error\\x1b[31m" in shown.out
    check_harmless((out / "toy" / "report.html").read_text())
    svg = (out / "toy" / "figures" / "f.svg").read_text()
    for element in ElementTree.fromstring(svg).iter():
        assert element.tag.rpartition("}")[2] not in ("script", "foreignObject", "a", "image")
        assert not [name for name in element.attrib if name.rpartition("}")[2].startswith("on")]
        assert not [v for v in element.attrib.values() if "javascript:" in v]
    assert "<script" not in svg
    log = next((out / "toy" / "_runs").glob("*/log")).read_text()
    assert "\x1b" not in log
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet")
    assert not jobs["message"].dropna().str.contains("\x1b").any()


def test_notes_and_bars_take_text_as_it_is(capsys):
    Progress().note("[red]x[/red] :smile: \x1b[2J [link=http://x]")
    assert capsys.readouterr().err == "[red]x[/red] :smile: \\x1b[2J [link=http://x]\n"
    Progress(Console(file=io.StringIO())).note("of a console of the caller's")


def test_old_rows_are_shown_harmless(monkeypatch):
    """A store of an older version, or of somebody else, has messages as they were."""
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    row = {"status": "failed", "stage": "s", "error": "E", "job_id": "j", "traceback": "t \x1b[1m hf_0123456789abcdef"}
    [cause] = group([row | {"message": "m \x1b[2J hf_0123456789abcdef"}])
    assert (cause.message, cause.traceback) == ("m \\x1b[2J ***", "t \\x1b[1m ***")


def test_an_outcome_made_anywhere_is_clean(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789abcdef")
    lost = Outcome(status="lost", error="WorkerCrashedError", message="\x1b[36m(pid)\x1b[0m hf_0123456789abcdef")
    assert lost.message == "\\x1b[36m(pid)\\x1b[0m ***"
    assert Outcome(status="failed", message=None).message is None


def test_the_driver_redacts_what_a_worker_could_not_know(tmp_path, monkeypatch):
    """On another machine a job may have read a secret of the driver's from its options."""
    outcome = Outcome(status="failed", error="ValueError", message="no n3w-t0ken-value", traceback="n3w-t0ken-value")
    monkeypatch.setenv("DRIVER_TOKEN", "n3w-t0ken-value")
    store = Store.of(tmp_path, toy.EXPERIMENT)
    journal = store.journal(session.new_run_id())
    journal.add(next(iter(toy.plan(toy.Config()))), pickle.loads(pickle.dumps(outcome)), 1)
    journal.flush()
    [row] = store.snapshot().attempts.to_pylist()
    assert (row["message"], row["traceback"]) == ("no ***", "***")


SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "HF_TOKEN": "hf_QwErTy1234567890abcdEFGH",
    "MLFLOW_TRACKING_TOKEN": "eyJhbGciOi.JIUzI1NiJ9-x_y",
    "MLFLOW_TRACKING_URI": "https://user:u5er-passw0rd@mlflow.example.org",
    "DATABASE_URL": "postgresql://me:p0stgres-pass@db/x",
}
TRACES = [
    *list(SECRETS.values())[:3],
    "u5er-passw0rd",
    "p0stgres-pass",
    "0pti0n-secret",
    "s1gn4ture-value",
    "c0nfig-secret",
]


def everything(folder: Path) -> str:
    """All bytes of all files as text, Parquet decoded too, and all names."""
    text = []
    for path in sorted(folder.rglob("*")):
        text.append(str(path))
        if path.is_file():
            text.append(path.read_bytes().decode("utf-8", "replace"))
        if path.suffix == ".parquet":
            text.append(str(pq.read_table(path).to_pylist()) + str(pq.read_schema(path).metadata))
    return "\n".join(text)


def test_no_secret_of_the_environment_is_written_or_shown(sweep, out, monkeypatch, capfd):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    def square(params, context):
        logging.getLogger("orchestrator.worker").warning("environment %s", dict(os.environ))
        if params.number == 2:
            raise RuntimeError(f"{os.environ}")
        if params.number == 3:
            raise KeyError(dict(os.environ), "https://b.s3.amazonaws.com/o?X-Amz-Signature=s1gn4ture-value&x=1")
        if params.number == 4:
            sqlite3.connect(f"/nowhere/{os.environ['HF_TOKEN']}/x")
        return {"squares": [{"part": part, "value": 1.0} for part in params.parts]}

    def reduce(results, config):
        raise ValueError(os.environ)

    monkeypatch.setattr(toy, "square", square)
    options = ("--how", "s3://key:c0nfig-secret@bucket/x?token=0pti0n-secret&y=1", "--wrong", "3")
    assert sweep("--numbers", "1-4", *options) == 1
    monkeypatch.setattr(toy, "EXPERIMENT", replace(toy.EXPERIMENT, reduce=reduce))
    assert sweep("--numbers", "1-4", *options, "--log-level", "info") == 1
    assert sweep("--numbers", "1-4", *options, "--status") == 0
    shown = capfd.readouterr()
    written = everything(out)
    for trace in TRACES:
        assert trace not in written, trace
        assert trace not in shown.out, trace
        assert trace not in shown.err, trace
    for text in (written, shown.out):  # and yet they say what went wrong
        assert "RuntimeError" in text
        assert "'HF_TOKEN': '***'" in text
        assert "s3://***@bucket/x?token=***&y=1" in text
    record = next((out / "toy" / "_runs").glob("*/config.json")).read_text()
    assert '"numbers": [' in record
    assert "jobs.parquet" in shown.out


def test_without_secrets_nothing_is_masked(sweep, out, monkeypatch, capsys):
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"], "HOME": str(out)})
    assert sweep("--numbers", "1-2", "--wrong", "2", "--how", "raise") == 1
    assert "***" not in everything(out) + capsys.readouterr().out


def test_the_command_that_is_said_again_has_no_keys(sweep, monkeypatch, capsys):
    monkeypatch.setattr(session, "_run_jobs", lambda *_: session.RunReport(left=1))
    assert sweep("--numbers", "1", "--marks", "https://u:pass-w0rd@h/x") == 130
    shown = capsys.readouterr().out
    assert "pass-w0rd" not in shown
    assert "https://***@h/x" in shown
