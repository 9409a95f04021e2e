"""Terminals of any encoding, and readers that have seen enough."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TOY = [sys.executable, "-m", "tests.toy", "--experiment", "toy"]


def run(arguments, encoding="utf-8", **how):
    environment = os.environ | {"PYTHONIOENCODING": encoding, "COLUMNS": "100"}
    return subprocess.run(
        [*TOY, *arguments], capture_output=True, cwd=REPOSITORY, env=environment, check=False, timeout=120, **how
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_every_encoding_gets_something_readable(encoding, tmp_path):
    done = run(["--preset", "quick", "--out", str(tmp_path / "σ … ü"), "--plan"], encoding)
    text = done.stdout.decode(encoding)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr.decode(encoding)
    written = {"ascii": "sigma ... u", "latin-1": "sigma ... ü", "cp1252": "sigma … ü", "utf-8": "σ … ü"}
    assert written[encoding] in text


def test_a_refusal_can_be_read_on_an_ascii_terminal():
    done = run(["--scale", "größer"], "ascii")
    assert done.returncode == 2
    assert "groer" in done.stderr.decode("ascii") or "gro?er" in done.stderr.decode("ascii")


@pytest.mark.parametrize("arguments", [["--describe"], ["--help"], ["--list"], ["--preset", "quick", "--plan"]])
def test_a_reader_that_has_seen_enough_is_no_error(arguments, tmp_path):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [*TOY, *arguments, "--out", str(tmp_path)],
            stdout=closed,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_sweep_whose_output_nobody_reads_goes_on(tmp_path):
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [*TOY, "--preset", "quick", "--backend", "inline", "--out", str(tmp_path)],
            stdout=closed,
            stderr=subprocess.PIPE,
            cwd=REPOSITORY,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "toy" / "report.html").exists()
