"""Runs the stage on pairs, and writes small files of them."""

from pathlib import Path

import pytest

from orchestrator.experiment import Context
from tasks.attention.pairs.plan import PairOptions, pairs_job
from tasks.attention.pairs.stages import Pairs, open_pairs


@pytest.fixture
def made(tmp_path):
    """`made(dataset, data_dir, **options)`: the data set that the stage makes."""

    def make(dataset: str, data_dir: Path | None, name: str = "out", **options) -> Pairs:
        place = None if data_dir is None else str(data_dir)
        job = pairs_job(dataset, place, options=PairOptions(**options))
        directory = tmp_path / name
        directory.mkdir()
        job.stage.load()(job.params, Context(artifact=directory, paths=job.paths))
        return open_pairs(directory)

    return make


@pytest.fixture
def write_pairs(tmp_path):
    """`write_pairs("iwslt14", {"train.de": text, …})` writes files of a folder and returns the data directory."""

    def write(folder: str, contents: dict[str, str | bytes]) -> Path:
        place = tmp_path / "data" / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "data"

    return write
