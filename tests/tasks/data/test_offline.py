"""The hub libraries' own caches, made here and read in fresh processes: what a cluster without internet does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, DatasetInfo, Features, Value
from datasets.splits import SplitDict, SplitInfo

from tasks.data import tokenizers

REPO = Path(__file__).parents[3]
COMMIT = "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c"


def offline(code: str, home: Path) -> subprocess.CompletedProcess:
    env = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPO)}
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HUGGINGFACE_HUB_CACHE"):
        env.pop(name, None)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)


def write_datasets_cache(home: Path, commit: str) -> None:
    """What `load_dataset("nyu-mll/glue", "rte", revision=commit)` leaves behind, and the hub's own snapshot."""
    (home / "hub" / "datasets--nyu-mll--glue" / "snapshots" / commit).mkdir(parents=True)
    folder = home / "datasets" / "nyu-mll___glue" / "rte" / "0.0.0" / commit
    folder.mkdir(parents=True)
    label = ClassLabel(names=["entailment", "not_entailment"])
    texts = {"sentence1": Value("string"), "sentence2": Value("string")}
    features = Features({**texts, "label": label, "idx": Value("int32")})
    rows = {"sentence1": ["a", "c"], "sentence2": ["b", "d"], "label": [1, 0], "idx": [0, 1]}
    data = Dataset.from_dict(rows, features=features)
    splits = SplitDict({"train": SplitInfo(name="train", num_bytes=100, num_examples=2, dataset_name="glue")})
    info = DatasetInfo(
        features=features,
        builder_name="parquet",
        dataset_name="glue",
        config_name="rte",
        version="0.0.0",
        splits=splits,
    )
    data.save_to_disk(str(home / "made"))
    next((home / "made").glob("*.arrow")).rename(folder / "glue-train.arrow")
    info.write_to_directory(str(folder))


READ = (
    "from tasks.data import glue_hub, sources\n"
    "from tasks.data.places import Place\n"
    "source = sources.locate('RTE', None)\n"
    "examples = sources.read('RTE', 'train', Place(kind='hub', revision={revision}))\n"
    "print(source.revision, examples.first, examples.second, examples.labels)"
)


@pytest.mark.slow
def test_glue_from_the_local_cache(tmp_path):
    write_datasets_cache(tmp_path, COMMIT)
    done = offline(READ.format(revision="source.revision"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{COMMIT} ['a', 'c'] ['b', 'd'] [1, 0]"
    done = offline(READ.format(revision=repr("f" * 40)), tmp_path)
    assert done.returncode == 1
    assert "is of another commit; give --data-dir DIR" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_tokenizer_from_the_local_cache(tmp_path):
    folder = tmp_path / "hub" / "models--own--tiny"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    (snapshot / "config.json").write_text(json.dumps({"model_type": "albert"}))
    (snapshot / "tokenizer.json").write_text(tokenizers.builtin_json())
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **tokenizers.BUILTIN_ROLES}
    (snapshot / "tokenizer_config.json").write_text(json.dumps(config))
    code = (
        "from tasks.data.tokenizers import TokenizerRef, load_tokenizer, locate_tokenizer\n"
        "ref = locate_tokenizer('own/tiny')\n"
        "print(ref.revision, load_tokenizer(ref).pad_token_id)\n"
        "load_tokenizer(TokenizerRef(name='own/tiny', revision='f' * 40))"
    )
    done = offline(code, tmp_path)
    assert done.stdout.splitlines()[-1:] == [f"{COMMIT} 0"], done.stderr
    assert done.returncode == 1
    assert "DataError: tokenizer own/tiny (ffffffffffff) cannot be opened" in done.stderr
