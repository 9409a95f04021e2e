"""Runs the stage on a data set, and writes small ones."""

import json
from pathlib import Path

import pytest

from orchestrator.experiment import Context
from tasks.attention.texts.plan import TextOptions, texts_job
from tasks.attention.texts.stages import Texts, open_texts


@pytest.fixture
def made(tmp_path):
    """`made(dataset, data_dir, word_vectors=…, **options)`: the data set that the stage makes."""

    def make(
        dataset: str, data_dir: Path | None, name: str = "out", *, word_vectors: str | None = None, **options
    ) -> Texts:
        place = None if data_dir is None else str(data_dir)
        job = texts_job(dataset, place, word_vectors=word_vectors, options=TextOptions(**options))
        directory = tmp_path / name
        directory.mkdir()
        job.stage.load()(job.params, Context(artifact=directory, paths=job.paths))
        return open_texts(directory)

    return make


@pytest.fixture
def write_published(tmp_path):
    """`write_published(name, train, test, vocab)` writes the two files of the published form."""

    def write(name: str, train: list, test: list, vocab: list) -> Path:
        folder = tmp_path / "published"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}_train.json").write_text(json.dumps({"vocab": vocab, "XY": train}))
        (folder / f"{name}_test.json").write_text(json.dumps({"XY": test}))
        return folder

    return write


@pytest.fixture
def write_files(tmp_path):
    """`write_files(name, "csv", train, test)` writes the two files of a folder and returns the data directory."""

    def write(name: str, ending: str, train: str | bytes, test: str | bytes) -> Path:
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        for split, content in (("train", train), ("test", test)):
            (folder / f"{split}.{ending}").write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / "data"

    return write
