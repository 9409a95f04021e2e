"""Joining a Ray cluster, or starting one on this machine."""

import os
from pathlib import Path
from typing import Any

import ray
from ray._private.utils import read_ray_address

from orchestrator.backend import CannotRun
from orchestrator.code import ROOT
from orchestrator.surroundings import answers, hangups_ignored, python_path, ray_job

_LEFT_AT_HOME = ["/.git", "/.venv", "/results", "/benchmarks", "__pycache__", "*.parquet", "*.safetensors"]


def connect(address: str, num_cpus: int | None, dashboard: bool = False) -> str:
    """Join or start a cluster; returns what was done, in words.

    `auto` joins what RAY_ADDRESS or `ray start` on this machine names. Ray's own "auto" would also join the private
    cluster of another sweep that runs here, and die with it.
    """
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    # On other machines the workers get this checkout; without it they would run whatever copy lies there.
    shipped = _shipped()
    named = os.environ.get("RAY_ADDRESS") if address == "auto" else address
    join = named or read_ray_address() if address != "local" else None
    if join and not answers(join):  # Ray itself would try for minutes
        if named:
            raise CannotRun(f"no Ray cluster answers at {named}")
        join = None  # `ray start` named a cluster that has died since; one is started here instead
    if join:
        try:
            ray.init(address=join, runtime_env=shipped, **quiet)
            return f"joined the Ray cluster at {join}"
        except ConnectionError as problem:
            raise CannotRun(f"no Ray cluster answers at {join}: {problem}") from problem
    # Workers of a cluster started here find the project where the driver found it. They inherit this environment from
    # Ray's processes; a runtime_env would say the same, but Ray could not use the workers that it starts ahead.
    with python_path(ROOT), hangups_ignored():
        ray.init(address="local", num_cpus=num_cpus, include_dashboard=dashboard, **quiet)
    return f"started Ray on this machine with {ray.cluster_resources().get('CPU', 0):g} CPU slots"


def _shipped() -> dict[str, Any]:
    """The runtime environment that brings this checkout to the workers; `ray job submit --working-dir` has done so.

    Raises:
        CannotRun: when it has brought another folder.
    """
    job = ray_job()
    if job is None or "working_dir" not in job:
        return {"working_dir": str(ROOT), "excludes": _LEFT_AT_HOME}
    if Path.cwd().resolve() != ROOT:  # where Ray starts the entrypoint
        raise CannotRun(
            f"this Ray job's working directory {Path.cwd()} is not the project, which is in {ROOT}: "
            "run `ray job submit --working-dir .` in the project's folder"
        )
    return {}  # Ray takes no second working_dir
