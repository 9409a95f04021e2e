"""Tokenizers and tokenised data that bring code: nothing of it runs."""

import io
import json
import pickle
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from orchestrator.experiment import Context
from tasks.data.errors import DataError
from tasks.data.plan import tokens_job
from tasks.data.tokenised import open_split, tokens
from tasks.data.tokenizers import builtin_json, load_tokenizer, locate_tokenizer
from tests.payload import Payload

CODE = """
import os
os.makedirs({mark!r}, exist_ok=True)
from transformers import AlbertConfig, PreTrainedTokenizerFast
class Config(AlbertConfig):
    model_type = "mine"
class Mine(PreTrainedTokenizerFast): ...
"""


@pytest.fixture
def mark(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))  # for whoever asks whether code may run
    place = tmp_path / "mark"
    pickle.loads(pickle.dumps(Payload(place)))
    exec(CODE.format(mark=str(place)), {})
    place.rmdir()
    yield place
    assert not place.exists(), "code ran"


@pytest.mark.parametrize("where", ["tokenizer_config.json", "config.json", "both"])
def test_a_tokenizer_with_code_is_refused_and_nobody_is_asked(where, tmp_path, mark, capsys):
    directory = tmp_path / "tok"
    directory.mkdir()
    (directory / "tokenizer.json").write_text(builtin_json())
    (directory / "mine.py").write_text(CODE.format(mark=str(mark)))
    if where != "config.json":
        own = {
            "tokenizer_class": "Mine",
            "auto_map": {"AutoTokenizer": ["mine.Mine", "mine.Mine"]},
            "pad_token": "[PAD]",
        }
        (directory / "tokenizer_config.json").write_text(json.dumps(own))
    if where != "tokenizer_config.json":
        own = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoTokenizer": "mine.Mine"}}
        (directory / "config.json").write_text(json.dumps(own))
    with pytest.raises(DataError, match=r"(Python code of its own|padding token).*") as caught:
        load_tokenizer(locate_tokenizer(str(directory)))
    assert "\n" not in str(caught.value)
    assert "y/N" not in capsys.readouterr().out
    if where != "config.json":
        assert "without auto_map" in str(caught.value)


def test_a_vocabulary_that_is_a_pickle_is_not_opened(tmp_path, mark):
    directory = tmp_path / "tok"
    directory.mkdir()
    for name in ("tokenizer.json", "spiece.model", "vocab.json", "tokenizer.pkl"):
        (directory / name).write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(DataError, match="cannot be opened"):
        load_tokenizer(locate_tokenizer(str(directory)))


@pytest.fixture
def artifact(tmp_path) -> Path:
    job = tokens_job("similarity", None, "builtin", 32, 20, 10)
    (tmp_path / "tokens").mkdir()
    tokens(job.params, Context(paths=job.paths, artifact=tmp_path / "tokens"))
    return tmp_path / "tokens"


@pytest.mark.parametrize("column", ["input_ids", "label"])
def test_tokens_with_a_column_of_pickles_are_refused(column, artifact, mark):
    from ray.data._internal.object_extensions.arrow import ArrowPythonObjectType

    [path] = (artifact / "train").glob("*.arrow")
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    raw = pa.array([pickle.dumps(Payload(mark))] * len(table), pa.large_binary())
    bomb = pa.ExtensionArray.from_storage(ArrowPythonObjectType(), raw)
    hostile = table.set_column(table.schema.names.index(column), column, bomb)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, hostile.schema) as writer:
        writer.write_table(hostile)
    with pytest.raises((DataError, ValueError, TypeError)):
        open_split(artifact, "train")


def test_planted_pickles_in_tokens_are_not_opened(artifact, mark):
    bomb = pickle.dumps(Payload(mark))
    for name in ("cache.pkl", "indices.arrow", "data-00001-of-00002.arrow"):
        (artifact / "train" / name).write_bytes(bomb)
    assert len(open_split(artifact, "train")) == 20
    (artifact / "train" / "state.json").write_bytes(bomb)
    with pytest.raises(ValueError, match=r"."):  # undecodable JSON
        open_split(artifact, "train")
