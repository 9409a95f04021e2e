"""Whole sweeps on a store whose parts were damaged: the same command repairs it, and says what it repaired."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def truncate(part: Path) -> None:
    part.write_bytes(part.read_bytes()[:-20])


def cut_to_half(part: Path) -> None:
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])


def empty(part: Path) -> None:
    part.write_bytes(b"")


def other_schema(part: Path) -> None:
    pq.write_table(pa.table({"job_id": ["x", "y"], "something": [1, 2]}), part)


def other_format(part: Path) -> None:
    part.write_text("job_id,value\nx,1\n")


def squares(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "toy" / "squares.parquet")


def ran(marks: Path) -> Counter[str]:
    """How often each number's job ran."""
    return Counter(path.name.rpartition("-")[0] for path in marks.iterdir())


@pytest.fixture
def halves(sweep, out, tmp_path) -> Callable[[str, int], Path]:
    """A store of two runs, of the numbers 1-3 and 4-6; returns the part of a table of one of the runs."""
    (tmp_path / "marks").mkdir()
    assert sweep("--numbers", "1-3", "--marks", tmp_path / "marks") == 0
    assert sweep("--numbers", "4-6", "--marks", tmp_path / "marks") == 0
    return lambda table, run: sorted((out / "toy" / "_parts" / table).iterdir())[run]


@pytest.fixture
def undisturbed(sweep, tmp_path) -> pd.DataFrame:
    assert sweep("--numbers", "1-6", "--out", tmp_path / "undisturbed") == 0
    return squares(tmp_path / "undisturbed")


@pytest.mark.parametrize("damage", [truncate, cut_to_half, empty, other_schema, other_format])
@pytest.mark.parametrize("name", ["squares", "jobs"])
def test_a_damaged_part_is_set_aside_and_its_jobs_run_again(
    sweep, halves, undisturbed, out, tmp_path, capsys, damage, name
):
    damage(part := halves(name, 0))
    capsys.readouterr()
    assert sweep("--numbers", "1-6", "--marks", tmp_path / "marks") == 0
    shown = capsys.readouterr().out
    assert f"{part} is damaged (" in shown
    assert "set aside as *.corrupt, its jobs run again" in shown
    assert part.with_name(part.name + ".corrupt").exists()
    assert not part.exists()
    pd.testing.assert_frame_equal(squares(out), undisturbed)
    numbers = {number: times for number, times in ran(tmp_path / "marks").items() if number != "prepare"}
    assert numbers == {"1": 2, "2": 2, "3": 2, "4": 1, "5": 1, "6": 1}
    jobs = pd.read_parquet(out / "toy" / "jobs.parquet").query("current")
    assert jobs["job_id"].is_unique
    # The preparation's own line went with the damaged jobs part; its artifact is whole, so it does not run again.
    assert jobs["status"].tolist() == ["done"] * (7 if name == "squares" else 6)
    assert sweep("--numbers", "1-6") == 0
    assert "0 jobs to run, 7 already there" in (shown := capsys.readouterr().out)
    assert part.name not in shown


def test_a_missing_part_is_named_and_its_jobs_run_again(sweep, halves, undisturbed, out, capsys):
    (part := halves("squares", 1)).unlink()
    assert sweep("--numbers", "1-6") == 0
    assert f"{part} is missing: its jobs run again" in capsys.readouterr().out
    pd.testing.assert_frame_equal(squares(out), undisturbed)
    assert sweep("--numbers", "1-6") == 0
    assert part.name not in capsys.readouterr().out


@pytest.mark.parametrize("name", ["notes.txt", "other.parquet", "20261121T093000-0f42a1b7-000000.parquet.bak"])
@pytest.mark.parametrize("table", ["squares", "jobs"])
def test_a_foreign_file_is_passed_over_and_left(sweep, halves, undisturbed, out, capsys, table, name):
    foreign = halves(table, 0).with_name(name)
    foreign.write_text("mine")
    assert sweep("--numbers", "1-6") == 0
    shown = capsys.readouterr().out
    assert "0 jobs to run, 7 already there" in shown
    assert foreign.read_text() == "mine"
    pd.testing.assert_frame_equal(squares(out), undisturbed)
    if table == "jobs":
        assert f"{foreign} is no part of a sweep: passed over" in shown


def test_what_a_killed_writer_left_is_no_part(sweep, halves, undisturbed, out, capsys):
    left = halves("jobs", 0).with_name("_tmp-0123-20261121T093000-0f42a1b7-000000.parquet")
    left.write_bytes(b"PAR1")
    assert sweep("--numbers", "1-6") == 0
    assert left.name not in capsys.readouterr().out
    pd.testing.assert_frame_equal(squares(out), undisturbed)
