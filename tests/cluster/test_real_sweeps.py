"""`sweep.py` with whole experiments on real Ray: the numbers do not depend on the workers, nor on a driver's death."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.conftest import PATIENCE, ROOT, until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SWEEPS = {
    "glue_depth": (
        "--width 32 --train-limit 200 --dev-limit 60 --epochs 1 --depths 1-6 --finetuned-depths 1,3 --seeds 0-1",
        ("scores", "curves"),
    ),
    # A chain of needs: blocks, the small model, a pass of its own and one of each random network, their long runs.
    "chaos": (
        "--width 32 --heads 2 --pretrain-steps 20 --steps 60 --exponents 2 --long-steps 100 --sync-threshold 10",
        ("windows", "layers", "offsets", "long_windows"),
    ),
}


def start(experiment: str, out: Path, ray_folder: str, cpus: int) -> subprocess.Popen:
    command = ["--experiment", experiment, "--preset", "quick", "--address", "local", *SWEEPS[experiment][0].split()]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "sweep.py"), *command, "--out", str(out), "--num-cpus", str(cpus)],
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


def tables(experiment: str, out: Path) -> list[pd.DataFrame]:
    return [pd.read_parquet(out / experiment / f"{name}.parquet") for name in SWEEPS[experiment][1]]


@pytest.mark.parametrize("experiment", SWEEPS)
def test_workers_and_a_killed_driver_change_no_number(tmp_path, ray_folder, experiment):
    one, two, killed = (tmp_path / name for name in ("one", "two", "killed"))
    finish(start(experiment, one, ray_folder, 1))
    finish(start(experiment, two, ray_folder, 2))
    process = start(experiment, killed, ray_folder, 2)
    first = SWEEPS[experiment][1][0]
    until(lambda: list(killed.glob(f"{experiment}/_parts/{first}/*.parquet")), f"the first {first} to be on disk")
    process.kill()
    process.communicate()
    assert not (killed / experiment / "report.html").exists()
    output = finish(start(experiment, killed, ray_folder, 2))
    assert " 0 already there" not in output
    for whole, other, resumed in zip(*(tables(experiment, out) for out in (one, two, killed)), strict=True):
        assert len(whole) > 50
        pd.testing.assert_frame_equal(whole, other)
        pd.testing.assert_frame_equal(whole, resumed)
