"""Data that many jobs share are there once: an artifact on disk, mapped into memory, not in Ray's object store."""

import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from orchestrator.cli import main
from tasks import EXPERIMENTS
from tests.cluster.conftest import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

GB = 2.0**30


class ObjectStore:
    """What Ray's object stores hold, looked at ten times a second."""

    def __init__(self):
        self.peak = 0.0

    @staticmethod
    def used() -> float:
        """Bytes in the object stores of all nodes."""
        import ray

        total, free = ray.cluster_resources(), ray.available_resources()
        return total["object_store_memory"] - free.get("object_store_memory", 0.0)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.1):
                self.peak = max(self.peak, self.used())

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@pytest.fixture
def backend(ray_folder: str, monkeypatch) -> Iterator[None]:
    from orchestrator.ray_backend.backend import RayBackend

    monkeypatch.setenv("RAY_TMPDIR", ray_folder)
    backend = RayBackend("local", num_cpus=2)
    yield
    backend.close()


def test_200_jobs_share_a_gigabyte(backend, monkeypatch, tmp_path: Path):
    import ray

    monkeypatch.setitem(EXPERIMENTS, "shared_data", "tests.shared_data")
    store = ObjectStore()
    held = ray.put(np.ones(2**24))  # 128 MiB, to see that the looks would see them
    until(lambda: store.used() >= 2**27, "Ray reports what its object store holds")
    del held
    until(lambda: store.used() < 2**26, "Ray lets go of it")
    try:
        with store.watched():
            assert main(["--experiment", "shared_data", "--out", str(tmp_path)]) == 0
        sums = pd.read_parquet(tmp_path / "shared_data" / "sums.parquet").sort_values("block")
        files = list((tmp_path / "artifacts").rglob("data.npy"))
    finally:
        shutil.rmtree(tmp_path / "artifacts", ignore_errors=True)
    assert sums["total"].tolist() == [block**2 for block in range(200)]
    assert set(sums["megabytes"]) == {1024.0}
    assert len(files) == 1
    assert store.peak < 2 * GB  # what was asked
    assert store.peak < 0.1 * GB  # and what is meant: the data are not in there at all
    assert max(sums["own_megabytes"].tolist()) < 500  # nor in the memory of each job
