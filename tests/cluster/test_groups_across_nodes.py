"""A group whose members are on different nodes, and whose driver is killed in the middle."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.conftest import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def alive(mark: Path) -> bool:
    try:
        os.kill(int(mark.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_driver_takes_its_group_along_and_the_next_one_goes_on(drive, nodes, tmp_path, marks):
    cluster, out = nodes(1, 1), tmp_path / "out"  # the two members do not fit on one node

    def start(seconds: float):
        options = ("--out", out, "--marks", marks, "--seconds", seconds)
        return drive(*options, address=cluster.address, experiment="toy_group")

    driver = start(2.0)
    until(lambda: list((out / "checkpoints").rglob("_DONE.json")), "a checkpoint")
    members = list(marks.iterdir())
    assert len(members) == 2
    driver.process.send_signal(signal.SIGKILL)
    driver.process.wait()
    until(lambda: not any(map(alive, members)), "the members to end with their driver")
    driver = start(0.0)
    assert driver.wait() == 0, driver.text()
    [row] = pd.read_parquet(out / "toy_group" / "sums.parquet").to_dict("records")
    assert (row["total"], row["workers"]) == (10, 2)
    assert row["first"] >= 1
    assert not [path for path in (out / "checkpoints").rglob("*") if path.is_file()]
