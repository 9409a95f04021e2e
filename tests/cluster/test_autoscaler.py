"""A cluster that grows: a real autoscaler, of both versions, that starts further nodes on this machine."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
from ray._private.services import get_node_ip_address

from orchestrator.ray_backend.waiting import _of_report, _of_status
from tests.cluster.conftest import until

pytestmark = pytest.mark.cluster

HEAD_ID, HEAD_TYPE = "f" * 51 + "00000", "ray.head.default"  # the names under which the provider knows the head
LISTS = "cluster_synced_files rsync_exclude rsync_filter initialization_commands setup_commands head_setup_commands "
LISTS += "worker_setup_commands head_start_ray_commands worker_start_ray_commands"


def cluster_file(address: str) -> dict:
    """A head of one CPU, and up to two nodes with a GPU (which Ray only counts) that its provider starts here."""
    return {
        "cluster_name": "growing",
        "max_workers": 2,
        "upscaling_speed": 100,
        "idle_timeout_minutes": 5,
        "auth": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in LISTS.split()},
        "provider": {
            "type": "external",
            "module": "own_folders.OwnFolders",
            "gcs_address": address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "head_node_type": HEAD_TYPE,
        "available_node_types": {
            HEAD_TYPE: {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
            "with_gpu": {
                "resources": {"CPU": 1, "GPU": 1, "object_store_memory": 10**8},
                "node_config": {},
                "min_workers": 0,
                "max_workers": 2,
            },
        },
    }


@pytest.fixture(params=["1", "2"])
def growing(request, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a cluster with an autoscaler of this version, and the environment of a driver on its head."""
    with socket.socket() as free, tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:
        free.bind(("", 0))
        port = free.getsockname()[1]
        free.close()
        address = f"{get_node_ip_address()}:{port}"
        bootstrap = tmp_path / "ray_bootstrap_config.yaml"  # where `ray up` leaves it: in the head's home
        bootstrap.write_text(json.dumps(cluster_file(address)))
        home = {"HOME": str(tmp_path), "RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
        provider = {"PYTHONPATH": str(Path(__file__).parent / "providers"), "RAY_FAKE_CLUSTER": "1"}
        version = {"RAY_enable_autoscaler_v2": "1" if request.param == "2" else "0"}
        if request.param == "2":
            version |= {"RAY_CLOUD_INSTANCE_ID": HEAD_ID, "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID}
        command = f"ray start --head --block --port={port} --num-cpus=1 --num-gpus=0 --include-dashboard=false"
        command += f" --object-store-memory=100000000 --autoscaling-config={bootstrap}"
        with (tmp_path / "ray.txt").open("wb") as output:
            head = subprocess.Popen(
                [Path(sys.executable).with_name("ray"), *command.split()[1:]],
                env=os.environ | home | version | provider | {"AUTOSCALER_UPDATE_INTERVAL_S": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            until(lambda: "Ray runtime started" in (tmp_path / "ray.txt").read_text(), "the head to start")
            yield address, home
        finally:
            processes = psutil.Process(head.pid).children(recursive=True)
            for process in [*processes, head]:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            head.wait()


def test_a_sweep_waits_for_nodes_that_the_autoscaler_starts_and_says_so(growing, drive, tmp_path):
    address, home = growing
    driver = drive(
        "--address", address, "--numbers", "1-4", "--gpus-per-job", "1", "--seconds", "0.5", "--out", tmp_path, **home
    )
    assert driver.wait() == 0, driver.text()
    text = driver.text()
    assert "× (1 CPU + 1 GPU), the autoscaler starts " in text
    assert " × with_gpu (" in text
    squares = pd.read_parquet(tmp_path / "toy" / "squares.parquet")
    assert sorted(squares["number"]) == sorted([*range(1, 5)] * 2)


def test_a_job_that_no_node_of_the_autoscaler_could_hold_is_refused(growing, drive, tmp_path):
    address, home = growing
    driver = drive("--address", address, "--numbers", "1", "--gpus-per-job", "2", "--out", tmp_path, **home)
    assert driver.wait() == 2
    assert "a job asks for 1 CPUs, 2 GPUs" in driver.text()
    assert "1 CPUs, 1 GPUs" in driver.text()


def test_failed_launches_are_said():
    from ray.autoscaler.v2.schema import ClusterStatus, LaunchRequest

    launch = LaunchRequest(
        instance_type_name="p5",
        ray_node_type_name="eight",
        count=2,
        state=LaunchRequest.Status.FAILED,
        request_ts_s=0,
        details="no capacity in zone a",
    )
    assert _of_status(ClusterStatus(failed_launches=[launch])) == ({}, ["eight: no capacity in zone a"])
    record = {"unavailable_node_information": {"category": "Capacity", "description": "no capacity in zone a"}}
    report = {
        "pending_nodes": [["10.0.0.3", "one", "setting-up"]],
        "pending_launches": {"one": 2},
        "node_availability_summary": {"node_availabilities": {"eight": record}},
    }
    assert _of_report(report) == (
        {"one (asked for)": 2, "one (setting-up)": 1},
        ["eight: no capacity in zone a"],
    )
