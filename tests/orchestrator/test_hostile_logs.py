"""Logs of jobs: what they print may hold secrets and escape sequences, and where they are written may be a trap."""

import os

import pytest

from orchestrator import joblog
from orchestrator.joblog import JobLog
from orchestrator.storage import Storage

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Storage:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return Storage.at(tmp_path / "logs")


def printed(folder: Storage, data: bytes) -> str:
    log = JobLog(folder, "job-1")
    with log.captured():
        os.write(1, data)
    assert log.kept
    assert folder.names() == ["job-1.log"]
    return folder.read("job-1.log").decode()


def test_a_log_has_no_secrets_and_steers_no_terminal(folder):
    assert printed(folder, f"a {SECRET}\x1b[2J\x00 b\n".encode()) == "a ***\\x1b[2J\\x00 b\n"


@pytest.mark.parametrize("shift", [0, 1, len(SECRET) // 2, len(SECRET) - 1, len(SECRET)])
@pytest.mark.parametrize("where", ["head", "tail"])
def test_a_long_log_has_no_half_of_a_secret(folder, monkeypatch, shift, where):
    """Where a log is cut, a secret across the cut would be none any more, and half of it would stay."""
    monkeypatch.setattr(joblog, "HEAD_BYTES", 40_000)
    monkeypatch.setattr(joblog, "TAIL_BYTES", 40_000)
    size = 200_000
    at = (40_000 if where == "head" else size - 40_000) - shift
    data = b"." * at + SECRET.encode()
    text = printed(folder, data + b"." * (size - len(data)))
    assert "bytes left out" in text
    assert set(text.replace("bytes left out", "")) <= set(".[] \n0123456789")
    assert len(text) > 50_000


def test_a_log_is_not_written_through_a_link(folder, tmp_path, capfd):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "_job-1.log").symlink_to(tmp_path / "precious")
    log = JobLog(folder, "job-1")
    with log.captured():
        os.write(1, b"shown")
    assert (tmp_path / "precious").read_text() == "precious"
    assert not log.kept
    assert capfd.readouterr().out == "shown"  # the job's output stays where it was


def test_temporary_logs_are_not_written_where_others_may_write(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trap = tmp_path / f"sweep-logs-{os.getuid()}"
    trap.mkdir()
    trap.chmod(0o777)
    log = JobLog(Storage("s3://bucket/logs"), "job-1")
    with log.captured():
        os.write(1, b"shown")
    assert not log.kept
    assert list(trap.iterdir()) == []
    assert capfd.readouterr().out == "shown"
