"""Short jobs travel together; what one of them does to its process costs the others nothing."""

import pandas as pd
import pytest

pytestmark = pytest.mark.cluster
NUMBERS = ("--numbers", "1-400")


def test_short_jobs_give_the_rows_that_they_give_alone(drive, tmp_path, undisturbed):
    driver = drive(*NUMBERS, "--num-cpus", "2", "--out", tmp_path / "out")
    assert driver.wait() == 0, driver.text()
    out = tmp_path / "out" / "toy"
    pd.testing.assert_frame_equal(pd.read_parquet(out / "squares.parquet"), undisturbed("1-400"))
    assert pd.read_parquet(out / "jobs.parquet")["job_id"].is_unique


@pytest.mark.parametrize(
    ("how", "more", "status"),
    [
        ("die", ("--max-worker-failures", "2"), "lost"),
        ("hang", ("--job-timeout", "3"), "timeout"),
        ("raise", (), "failed"),
    ],
)
def test_a_bad_job_among_short_ones_is_the_only_one_that_fails(drive, tmp_path, undisturbed, how, more, status):
    # Seconds of work before the bad job see to it that bundles have long been going. How many calls are in its bundle
    # is a matter of time: at most 31 others, and none where it was the first to find room.
    bad = ("--numbers", "1-1000", "--seconds", "0.01", "--wrong", "990", "--how", how)
    driver = drive(*bad, *more, "--num-cpus", "2", "--out", tmp_path / "out")
    assert driver.wait() == 1, driver.text()
    out = tmp_path / "out" / "toy"
    whole = undisturbed("1-1000").query("number != 990").reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_parquet(out / "squares.parquet"), whole)
    jobs = pd.read_parquet(out / "jobs.parquet")
    assert jobs.query("current")["status"].value_counts().to_dict() == {"done": 1000, status: 1}  # with the preparation
    attempts = jobs.groupby("job_id").size()
    lost_with_it = jobs.query("current and status == 'done' and attempt == 2")
    assert attempts.tolist().count(3) == (how == "die")
    if how == "hang":  # it is not tried again itself
        assert max(attempts) == (1 if lost_with_it.empty else 2)
    else:
        assert max(attempts) == {"die": 3, "raise": 2}[how]
    if how == "raise":
        assert lost_with_it.empty
    else:  # the others of its bundle have run again, alone; so has it
        assert len(lost_with_it) <= 31
