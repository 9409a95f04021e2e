"""Which bytes a model name means."""

import shutil
import subprocess
import sys

import huggingface_hub
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from models import hub
from models.albert import random_albert, scratch_config
from models.checkpoints import ModelError, ModelRef, resolve_model


@pytest.fixture
def directory(tmp_path):
    random_albert(scratch_config(16, vocab_size=20), "hf_default", seed=0).save_pretrained(tmp_path / "mine")
    return tmp_path / "mine"


def test_a_directory_is_known_by_its_content(directory, tmp_path):
    ref = resolve_model(str(directory))
    assert (ref.name, ref.path, len(ref.revision)) == ("mine", str(directory), 16)
    shutil.copytree(directory, tmp_path / "elsewhere" / "mine")
    moved = resolve_model(str(tmp_path / "elsewhere" / "mine"))
    assert (moved.name, moved.revision) == (ref.name, ref.revision)
    (directory / "README.md").write_text("does not shape the weights")
    assert resolve_model(str(directory)).revision == ref.revision
    weights = directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert resolve_model(str(directory)).revision != ref.revision


@pytest.mark.parametrize(("missing", "message"), [("config.json", "config.json"), ("model.safetensors", "safetensors")])
def test_an_incomplete_directory_is_refused(directory, missing, message):
    (directory / missing).unlink()
    with pytest.raises(ModelError, match=message) as caught:
        resolve_model(str(directory))
    assert "--model DIR" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", ""])
def test_a_missing_directory_is_no_hub_name(name):
    with pytest.raises(ModelError, match="--model DIR"):
        resolve_model(name)


@pytest.fixture
def hub_cache(monkeypatch, tmp_path):
    """An empty hub cache, and nothing remembered of earlier answers."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    hub.commit.cache_clear()
    yield tmp_path
    hub.commit.cache_clear()


def test_the_hub_names_the_commit(monkeypatch, hub_cache):
    class Info:
        sha = "c0ffee"

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda self, name, timeout: Info)
    assert resolve_model("albert/albert-large-v2") == ModelRef(
        name="albert/albert-large-v2", revision="c0ffee", path=None
    )


def test_without_network_the_cache_answers_or_nobody(monkeypatch, hub_cache):
    def offline(self, name, timeout):
        raise OfflineModeIsEnabled("offline")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", offline)
    with pytest.raises(ModelError, match=r"the hub model albert/tiny is missing \(offline .*--model DIR") as caught:
        resolve_model("albert/tiny")
    assert "\n" not in str(caught.value)
    repository = hub_cache / "models--albert--tiny"
    (repository / "snapshots" / "deadbeef").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("deadbeef")
    assert resolve_model("albert/tiny").revision == "deadbeef"


def test_what_is_no_hub_name_is_refused(hub_cache):
    with pytest.raises(ModelError, match="the hub model not a name is missing"):
        resolve_model("not a name")


def test_resolving_imports_neither_torch_nor_transformers(directory):
    code = (
        f"import sys, models.checkpoints as c; c.resolve_model({str(directory)!r}); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
