"""`sweep.py --experiment glue_depth` on real Ray: the numbers do not depend on the workers, nor on a driver's death."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.conftest import PATIENCE, ROOT, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

TABLES = ("scores", "curves")
TINY = [
    *("--experiment", "glue_depth", "--preset", "quick", "--address", "local"),
    *("--width", "32", "--train-limit", "200", "--dev-limit", "60", "--epochs", "1"),
    *("--depths", "1-6", "--finetuned-depths", "1,3", "--seeds", "0-1"),
]


def start(out: Path, ray_folder: str, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "sweep.py"), *TINY, "--out", str(out), *options],
        cwd=out.parent,  # from anywhere, not only from the project's folder
        env=os.environ | {"RAY_TMPDIR": ray_folder},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=4 * PATIENCE)
    assert process.returncode == 0, output
    return output


def tables(out: Path) -> list[pd.DataFrame]:
    return [pd.read_parquet(out / "glue_depth" / f"{name}.parquet") for name in TABLES]


def test_workers_and_a_killed_driver_change_no_number(tmp_path, ray_folder):
    one, two, killed = (tmp_path / name for name in ("one", "two", "killed"))
    finish(start(one, ray_folder, "--num-cpus", "1"))
    finish(start(two, ray_folder, "--num-cpus", "2"))
    process = start(killed, ray_folder, "--num-cpus", "2")
    until(lambda: list(killed.glob("glue_depth/_parts/scores/*.parquet")), "the first scores to be on disk")
    process.kill()
    process.communicate()
    assert not (killed / "glue_depth" / "report.html").exists()
    output = finish(start(killed, ray_folder, "--num-cpus", "2"))
    assert " 0 already there" not in output
    for name, whole, other, resumed in zip(TABLES, tables(one), tables(two), tables(killed), strict=True):
        assert len(whole) > 50, name
        pd.testing.assert_frame_equal(whole, other)
        pd.testing.assert_frame_equal(whole, resumed)
