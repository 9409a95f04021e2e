"""Model directories that bring code: nothing of it runs, and the message says what was refused."""

import json
import sys
from pathlib import Path

import pytest
import torch

from models.albert import load_albert, load_config, random_albert, scratch_config
from models.checkpoints import ModelError, resolve_model
from models.mlm_head import load_mlm_head
from tests.payload import Payload

CODE = """
import os
os.makedirs({mark!r}, exist_ok=True)
from transformers import AlbertConfig, AlbertModel
class Config(AlbertConfig):
    model_type = "mine"
class Model(AlbertModel):
    config_class = Config
"""


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """Where a payload leaves its mark. An answer of yes waits for whoever asks whether code may run."""
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 9))
    place = tmp_path / "mark"
    exec(CODE.format(mark=str(place)), {})  # the payload is live
    assert place.exists()
    place.rmdir()
    yield place
    assert not place.exists(), "a model's code ran"


@pytest.fixture
def directory(tmp_path, mark) -> Path:
    """A good checkpoint with a module that leaves the mark beside it."""
    place = tmp_path / "model"
    random_albert(scratch_config(16, vocab_size=20), "hf_default", seed=0).save_pretrained(place)
    (place / "mine.py").write_text(CODE.format(mark=str(mark)))
    return place


def configure(directory: Path, **changes: object) -> None:
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | changes))


AUTO_MAP = {"AutoConfig": "mine.Config", "AutoModel": "mine.Model", "AlbertModel": "mine.Model"}


def test_code_beside_an_albert_is_left_alone(directory):
    configure(directory, auto_map=AUTO_MAP)
    model = load_albert(directory)
    assert type(model).__module__.startswith("transformers.")


@pytest.mark.parametrize("kind", ["mine", None])
def test_a_model_of_its_own_kind_is_refused_and_nobody_is_asked(directory, kind, capsys):
    configure(directory, auto_map=AUTO_MAP, model_type=kind, architectures=["Model"])
    for load in (load_config, load_albert):
        with pytest.raises(ValueError, match=r"Python code of its own|model type|configuration") as caught:
            load(directory)
        assert "\n" not in str(caught.value)
        if kind:
            assert "auto_map in its config.json" in str(caught.value)
            assert "give an ALBERT checkpoint" in str(caught.value)
    assert "y/N" not in capsys.readouterr().out


def to_pickle(directory: Path, extra: object = None) -> None:
    """Turn the safetensors into `pytorch_model.bin`."""
    from safetensors.torch import load_file

    weights = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    torch.save({**weights, **({"extra": extra} if extra else {})}, directory / "pytorch_model.bin")


def test_pickled_weights_are_read_only_when_allowed(directory):
    good = load_albert(directory)
    to_pickle(directory)
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is not read unless --pickled-weights allows it"):
        resolve_model(str(directory))
    with pytest.raises(ValueError, match="--pickled-weights allows"):
        load_albert(directory)
    ref = resolve_model(str(directory), pickled=True)
    assert (len(ref.revision), ref.pickled) == (16, True)
    model = load_albert(directory, pickled=True)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), good.parameters(), strict=True))


def test_allowing_pickles_changes_nothing_where_there_are_safetensors(directory, mark):
    plain = resolve_model(str(directory))
    torch.save({"x": Payload(mark)}, directory / "pytorch_model.bin")
    assert resolve_model(str(directory), pickled=True).revision == plain.revision
    load_albert(directory, pickled=True)


def test_other_pickled_weights_are_another_revision(directory):
    to_pickle(directory)
    before = resolve_model(str(directory), pickled=True).revision
    weights = torch.load(directory / "pytorch_model.bin", weights_only=True)
    torch.save({name: value + 1 for name, value in weights.items()}, directory / "pytorch_model.bin")
    assert resolve_model(str(directory), pickled=True).revision != before


@pytest.mark.parametrize("allowed", [False, True])
def test_a_pickle_with_a_payload_never_runs(directory, mark, allowed):
    to_pickle(directory, Payload(mark))
    torch.load(directory / "pytorch_model.bin", weights_only=False)
    assert mark.exists()  # it is live
    mark.rmdir()
    for load in (load_albert, load_mlm_head):
        with pytest.raises(ValueError, match="refused" if allowed else "--pickled-weights allows"):
            load(directory, pickled=allowed)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_pickle_under_another_name_never_runs(directory, mark, name):
    import pickle

    (directory / "model.safetensors").unlink()
    (directory / name).write_bytes(pickle.dumps(Payload(mark)))
    for allowed in (False, True):
        with pytest.raises(Exception, match=r".") as caught:
            load_albert(directory, pickled=allowed)
        assert not isinstance(caught.value, AssertionError)
