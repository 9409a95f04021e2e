"""How jobs share a node: by memory, by fractions of a GPU. Ray counts GPUs that are not there as well as others."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import ray
from rich.console import Console

from orchestrator.experiment import Job, Resources
from orchestrator.plan import make_plan
from orchestrator.progress import Progress
from orchestrator.ray_backend.backend import RayBackend
from orchestrator.runner import Runner
from orchestrator.runs import RunOptions, new_run_id
from orchestrator.store import Store
from tests import toy

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module", autouse=True)
def node(ray_folder: str) -> Iterator[None]:
    """A node of four CPU slots, a GPU and a thousand MiB that Ray may give away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", ray_folder)
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        ray.init("local", num_cpus=4, num_gpus=1, _memory=1000 * 2**20, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


def run(tmp_path: Path, wants: Resources, jobs: int = 4, gpus_per_job: float | None = None) -> pd.DataFrame:
    """Jobs of 0.4 s, as in `jobs.parquet`, with their end and their process beside their start."""
    plan = make_plan(
        Job(
            stage=toy.WHERE,
            params=toy.SquareParams(number=i, scale=1.0),
            paths={"seconds": "0.4"},
            resources=wants,
        )
        for i in range(jobs)
    )
    store, backend = Store(tmp_path, "toy", {"pids": toy.PIDS}), RayBackend(gpus_per_job=gpus_per_job)
    runner = Runner(
        plan, list(plan.jobs), store, backend, Progress(Console(quiet=True)), new_run_id(), RunOptions(attempts=1)
    )
    assert runner.run().good
    backend.close()
    store.publish()
    attempts = pd.read_parquet(tmp_path / "toy" / "jobs.parquet")
    attempts["ended_at"] = attempts["started_at"] + attempts["seconds"] * pd.Timedelta(seconds=1)
    return attempts.merge(pd.read_parquet(tmp_path / "toy" / "pids.parquet")[["job_id", "pid"]], on="job_id")


def most_at_once(jobs: pd.DataFrame) -> int:
    """How many of the jobs ran at the same moment, at most."""
    return max(((jobs["started_at"] <= at) & (at < jobs["ended_at"])).sum() for at in jobs["started_at"])


@pytest.mark.parametrize(("memory_mb", "most"), [(600, 1), (400, 2)])
def test_jobs_are_packed_by_the_memory_that_they_ask_for(tmp_path, memory_mb, most):
    assert most_at_once(run(tmp_path, Resources(memory_mb=memory_mb))) <= most


def test_fractions_of_a_gpu(tmp_path):
    halves = run(tmp_path, Resources(num_gpus=0.5))
    assert most_at_once(halves) <= 2
    assert set(halves["device"]) == {"cuda:0"}
    assert halves["pid"].is_unique  # a process that ends gives the GPU's memory back


def test_an_option_asks_for_another_fraction_or_for_none(tmp_path):
    assert most_at_once(run(tmp_path / "whole", Resources(num_gpus=0.25), gpus_per_job=1.0)) == 1
    without = run(tmp_path / "none", Resources(num_gpus=1.0), gpus_per_job=0.0)
    assert set(without["device"]) == {"cpu"}
