"""The launcher files, checked without a cluster: by Ray's schema, by Ray's AWS code on a fake AWS, by the project."""

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from orchestrator.capacity import Capacity, autoscaled_nodes, autoscaled_slots
from orchestrator.experiment import Resources

ROOT = Path(__file__).parents[1]
FILES = ("cluster.yaml", "cluster-local.yaml")
KEEPALIVE = {"RAY_grpc_client_keepalive_time_ms": "10000", "RAY_grpc_client_keepalive_timeout_ms": "20000"}


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text())


def commands(config: dict[str, Any]) -> dict[str, list[str]]:
    return {key: value for key, value in config.items() if key.endswith("_commands")}


@pytest.mark.parametrize("name", FILES)
def test_ray_takes_the_file(name):
    validate_config(prepare_config(load(name)))


@pytest.mark.parametrize("name", FILES)
def test_ray_takes_no_file_with_a_typo(name):
    for right, wrong in (("setup_commands", "setup_command"), ("rsync_exclude", "rsync_excludes"), ("auth", "auths")):
        config = load(name)
        config[wrong] = config.pop(right)
        with pytest.raises(jsonschema.ValidationError, match=wrong):
            validate_config(prepare_config(config))


@pytest.mark.parametrize("name", FILES)
def test_every_path_that_is_synced_is_there_and_every_package_is_synced(name):
    mounts = load(name)["file_mounts"]
    assert all((ROOT / path).exists() for path in mounts.values())
    assert all(remote == f"~/sweeps/{path}" for remote, path in mounts.items())
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {package.removesuffix("*") for package in packages} <= set(mounts.values())
    assert {"sweep.py", "pyproject.toml", "constraints.txt"} <= set(mounts.values())
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode == 0:
        assert set(mounts.values()) <= {p for path in tracked.stdout.splitlines() for p in (path, path.split("/")[0])}


@pytest.mark.parametrize("name", FILES)
def test_commands_are_good_shell(name):
    for command in (line for lines in commands(load(name)).values() for line in lines):
        subprocess.run(["bash", "-n", "-c", command], check=True)


@pytest.mark.parametrize("name", FILES)
def test_what_ray_is_started_with(name):
    """The daemons need what a driver sets for itself: see ray_backend/__init__.py, which imports no Ray."""
    import orchestrator.ray_backend  # noqa: F401

    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        stop, start = load(name)[key]
        assert stop == "ray stop"
        assert "unset PYTHONPATH OMP_NUM_THREADS;" in start
        assert "RAY_AUTH_MODE=token" in start
        for variable, value in KEEPALIVE.items():
            assert f"{variable}={value}" in start
            assert variable in os.environ
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in load(name)["head_start_ray_commands"][1]
    assert ("RAY_enable_autoscaler_v2=0" in load(name)["head_start_ray_commands"][1]) == (name == "cluster-local.yaml")


@pytest.mark.parametrize("name", FILES)
def test_the_dependencies_that_the_nodes_install(name, tmp_path):
    """The setup command's own Python, run here: it writes the requirements of pyproject.toml, and not the project."""
    [install] = [line for line in load(name)["setup_commands"] if "tomllib" in line]
    listing = install.partition(" && ")[2].partition("&& ")[0].replace("~/venv/bin/python", "python3")
    listing = re.sub(r"> ~/.sweeps_requirements", "", listing)
    done = subprocess.run(["bash", "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.split() == project["dependencies"]
    assert "--constraint constraints.txt --requirement ~/.sweeps_requirements" in install


@pytest.mark.parametrize("name", FILES)
def test_what_the_user_must_change_is_marked(name):
    text = (ROOT / name).read_text()
    for value in ("192.0.2.", "ami-0000", "arn:aws:iam::0000", "your-bucket", "/shared/sweeps'", "id_ed25519"):
        for line in (i for i, line in enumerate(text.splitlines()) if value in line):
            near = text.splitlines()[max(0, line - 4) : line + 2]
            assert any("CHANGE" in other for other in near), text.splitlines()[line]


@pytest.mark.slow
def test_rays_aws_code_takes_the_file_and_the_gpus_are_found(tmp_path, monkeypatch):
    """What `ray up` does before it starts the head, against a fake AWS that knows the real instance types.

    A name that AWS does not know is only logged there, and its resources stay empty.
    """
    from moto import mock_aws
    from ray.autoscaler._private.commands import _bootstrap_config

    (tmp_path / ".ssh").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))  # the key pair that Ray makes is left here
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("ray.autoscaler._private.aws.config.time.sleep", lambda seconds: None)
    monkeypatch.chdir(ROOT)
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        config = _bootstrap_config(load("cluster.yaml"), no_config_cache=True)
    kinds = config["available_node_types"]
    assert [kinds[kind]["resources"].get("GPU", 0) for kind in ("head", "gpu_1", "gpu_8")] == [0, 1, 8]
    for kind in ("gpu_1", "gpu_8"):
        assert kinds[kind]["min_workers"] == 0
        assert kinds[kind]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    launched = tmp_path / "ray_bootstrap_config.yaml"
    launched.write_text(yaml.safe_dump(config))
    nodes = Capacity(autoscaled_nodes(launched))
    assert nodes.resolve(Resources(num_gpus=1)) == (1, 1)
    assert nodes.resolve(Resources(num_gpus=8)) == (1, 8)
    cpus = [int(kinds[kind]["resources"]["CPU"]) for kind in ("gpu_1", "gpu_8")]
    assert autoscaled_slots(launched) == 8 * cpus[0] + 2 * cpus[1]  # ten machines in all, the larger ones first
