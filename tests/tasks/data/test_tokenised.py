"""The `tokens` stage and its reader. Letters: B batch, T tokens."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.experiment import Context
from tasks.data import builtin, glue_hub, sources
from tasks.data.errors import DataError
from tasks.data.examples import TASKS, Examples
from tasks.data.glue_files import read_split
from tasks.data.places import Place
from tasks.data.plan import TOKENS, TokensParams, planned_sizes, tokens_job
from tasks.data.tokenised import TokenisedSplit, limited, open_split, read_meta, tokens
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer


def run(job, directory):
    directory.mkdir(parents=True)
    context = Context(job_id=job.id, paths=job.paths, artifact=directory)
    assert job.stage.load()(job.params, context) == {}
    return directory


def row(split, i):
    span = slice(split.offsets[i], split.offsets[i + 1])
    return split.input_ids[span].tolist(), split.token_type_ids[span].tolist()


@pytest.mark.parametrize("task", ["acceptability", "same_topic", "similarity"])
def test_round_trip_equals_tokenising_directly(task, tmp_path):
    job = tokens_job(task, None, "builtin", 24, None, 100)
    directory = run(job, tmp_path / "artifact")
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    assert read_meta(directory) == {
        "task": task,
        "n_outputs": TASKS[task].n_outputs,
        "is_regression": task == "similarity",
        "vocab_size": 2000,
        "pad_token_id": 0,
        "max_length": 24,
        "sizes": {"train": builtin.sizes(task)["train"], "dev": 100},
    }
    train = open_split(directory, "train")  # over 1,000 examples: more than one chunk
    examples = builtin.examples(task, "train")
    assert len(train) == len(examples)
    assert train.lengths.max() == 24
    assert train.labels.tolist() == examples.labels
    assert train.labels.dtype == (np.float64 if task == "similarity" else np.int64)
    assert (train.input_ids.dtype, train.token_type_ids.dtype) == (np.int32, np.int8)
    assert train.offsets.dtype == np.int64
    for i in range(len(examples)):
        second = None if examples.second is None else examples.second[i]
        direct = tokenizer(
            examples.first[i], second, truncation="longest_first", max_length=24, return_token_type_ids=True
        )
        assert row(train, i) == (direct["input_ids"], direct["token_type_ids"])
    indices = [5, 0, 1199, 5]
    ids_BT, types_BT, mask_BT = train.batch(indices)
    padded = tokenizer.pad({"input_ids": [row(train, i)[0] for i in indices]}, return_tensors="pt")
    assert torch.equal(ids_BT, padded["input_ids"])
    assert torch.equal(mask_BT, padded["attention_mask"])
    assert types_BT.shape == ids_BT.shape


ragged = st.lists(st.lists(st.tuples(st.integers(1, 30_000), st.integers(0, 1)), min_size=1, max_size=9), min_size=1)


@settings(deadline=None)
@given(rows=ragged, pad=st.integers(0, 7), data=st.data())
def test_unpadding_a_batch_gives_the_rows_back(rows, pad, data):
    flat = np.array([pair for example in rows for pair in example])
    split = TokenisedSplit(
        input_ids=flat[:, 0].astype(np.int32),
        token_type_ids=flat[:, 1].astype(np.int8),
        offsets=np.cumsum([0, *map(len, rows)]),
        labels=np.zeros(len(rows)),
        pad_token_id=pad,
    )
    indices = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))
    longest = max(len(rows[i]) for i in indices)
    pad_to = data.draw(st.none() | st.integers(longest, longest + 5))
    batch = split.batch(np.array(indices), pad_to)
    for x_BT in batch:
        assert x_BT.dtype == torch.int64
        assert x_BT.shape == (len(indices), longest if pad_to is None else pad_to)
    ids_BT, types_BT, mask_BT = batch
    for b, i in enumerate(indices):
        keep = mask_BT[b].bool()
        assert int(keep.sum()) == len(rows[i])
        assert keep.tolist() == sorted(keep.tolist(), reverse=True)
        assert list(zip(ids_BT[b][keep].tolist(), types_BT[b][keep].tolist(), strict=True)) == rows[i]
        assert set(ids_BT[b][~keep].tolist()) <= {pad}
        assert set(types_BT[b][~keep].tolist()) <= {0}


def test_bad_batches():
    split = TokenisedSplit(
        input_ids=np.arange(3, dtype=np.int32),
        token_type_ids=np.zeros(3, np.int8),
        offsets=np.array([0, 1, 3]),
        labels=np.zeros(2),
    )
    with pytest.raises(ValueError, match="at least one index"):
        split.batch([])
    with pytest.raises(IndexError, match="indices from -1 to 2; expected 0 to 1"):
        split.batch([2, -1])
    with pytest.raises(ValueError, match="pad_to is 1; an example has 2 tokens"):
        split.batch([1], pad_to=1)


def test_limits_are_nested_and_keep_the_order():
    examples = Examples(first=[f"a{i}" for i in range(50)], second=None, labels=list(range(50)))
    small, large = (limited(examples, n, "RTE", "train").labels for n in (10, 30))
    assert len(small) == 10
    assert len(large) == 30
    assert set(small) <= set(large)
    assert small == sorted(small)
    assert small != list(range(10))
    assert limited(examples, 50, "RTE", "train") is limited(examples, None, "RTE", "train") is examples
    assert limited(examples, 10, "RTE", "dev").labels != small


def test_the_same_content_elsewhere_is_the_same_job(write_glue, glue_text, tmp_path):
    rows = [(f"text {i}", f"other text {i}", str(i % 6)) for i in range(12)]
    root = write_glue("STS-B", {split: glue_text("STS-B", split, rows) for split in ("train", "dev")})
    first = tokens_job("STS-B", str(root), "builtin", 32, 5, None)
    artifact = run(first, tmp_path / "a")
    moved = tmp_path / "moved"
    root.rename(moved)
    second = tokens_job("STS-B", str(moved), "builtin", 32, 5, None)
    assert second.id == first.id
    assert second.paths != first.paths
    again = run(second, tmp_path / "b")
    names = sorted(path.relative_to(artifact) for path in artifact.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in names:
        assert (artifact / name).read_bytes() == (again / name).read_bytes(), name
    train = open_split(again, "train")
    assert len(train) == 5
    assert train.labels.dtype == np.float64
    assert read_meta(again)["sizes"] == {"train": 5, "dev": 12}


def test_whatever_shapes_the_bytes_is_in_the_id(write_glue, glue_text):
    rows = [("a", "b", "0"), ("c", "d", "1")]
    root = str(write_glue("WNLI", {split: glue_text("WNLI", split, rows) for split in ("train", "dev")}))
    jobs = [
        tokens_job("WNLI", root, "builtin", 32, 5, 6),
        tokens_job("similarity", root, "builtin", 32, 5, 6),
        tokens_job("WNLI", root, "builtin", 33, 5, 6),
        tokens_job("WNLI", root, "builtin", 32, 6, 6),
        tokens_job("WNLI", root, "builtin", 32, None, 6),
        tokens_job("WNLI", root, "builtin", 32, 5, None),
    ]
    ids = {job.id for job in jobs}
    write_glue("WNLI", {"dev": glue_text("WNLI", "dev", rows[::-1])})
    ids.add(tokens_job("WNLI", root, "builtin", 32, 5, 6).id)
    assert len(ids) == 7


def test_changed_data_are_refused_with_both_hashes(write_glue, glue_text, tmp_path):
    rows = [("a", "b", "0"), ("c", "d", "1")]
    root = write_glue("WNLI", {split: glue_text("WNLI", split, rows) for split in ("train", "dev")})
    job = tokens_job("WNLI", str(root), "builtin", 32, None, None)
    write_glue("WNLI", {"dev": glue_text("WNLI", "dev", rows[::-1])})
    here = sources.fingerprint("WNLI", Place(kind="files", path=str(root)))
    with pytest.raises(
        DataError, match=f"was {job.fingerprints['WNLI']} when the sweep was planned and is {here} here"
    ):
        run(job, tmp_path / "artifact")


def test_hub_data_are_read_at_the_planned_commit(monkeypatch, tmp_path):
    asked = []

    def read(task, split, revision):
        asked.append((task, split, revision))
        return Examples(first=["a"], second=["b"], labels=[2])

    monkeypatch.setattr(glue_hub, "resolve_revision", lambda task: "e" * 40)
    monkeypatch.setattr(glue_hub, "read_split", read)
    job = tokens_job("MNLI", None, "builtin", 32, None, None)
    assert job.data == "MNLI@" + "e" * 40
    assert job.paths == {"kind": "hub", "fingerprint": "e" * 40, "revision": "e" * 40}
    directory = run(job, tmp_path / "artifact")
    assert asked == [("MNLI", split, "e" * 40) for split in ("train", "dev_matched", "dev_mismatched")]
    assert open_split(directory, "dev_mismatched").labels.tolist() == [2]
    assert read_meta(directory)["n_outputs"] == 3


def test_params_and_places_are_checked(tmp_path):
    good: dict[str, Any] = {"task": "similarity", "tokenizer": "builtin", "tokenizer_revision": "0", "max_length": 64}
    with pytest.raises(ValueError, match="max-length is 7: give at least 8"):
        dataclasses.replace(TokensParams(**good), max_length=7)
    with pytest.raises(ValueError, match="dev-limit is 0"):
        TokensParams(**good, dev_limit=0)
    with pytest.raises(ValueError, match=r"give context\.artifact"):
        tokens(TokensParams(**good), Context())
    with pytest.raises(ValueError, match=r"context\.paths lacks kind, fingerprint; make it with tasks\.data\.places"):
        tokens(TokensParams(**good), Context(artifact=tmp_path))
    with pytest.raises(ValueError, match="data of kind 'disk'; expected builtin, files or hub"):
        tokens(TokensParams(**good), Context(artifact=tmp_path, paths={"kind": "disk", "fingerprint": "0"}))
    assert [field.name for field in TOKENS.param_fields] == [
        "task",
        "tokenizer",
        "tokenizer_revision",
        "max_length",
        "train_limit",
        "dev_limit",
    ]


def test_missing_artifacts(tmp_path):
    with pytest.raises(DataError, match=r"meta\.json: no such file; expected an artifact of the tokens stage"):
        open_split(tmp_path, "train")
    (tmp_path / "meta.json").write_text(json.dumps({"sizes": {"train": 1, "dev": 1}}))
    with pytest.raises(DataError, match="no split 'test', it has train, dev"):
        open_split(tmp_path, "test")


def test_planned_sizes():
    source = sources.Source(task="RTE", kind="hub", fingerprint="f", sizes={"train": 2490, "dev": 277})
    assert planned_sizes(source, 1000, 300) == {"train": 1000, "dev": 277}
    assert planned_sizes(source, None, 100) == {"train": 2490, "dev": 100}


@pytest.mark.real_data
@pytest.mark.parametrize("task", ["CoLA", "RTE", "WNLI", "SST-2", "MRPC", "STS-B"])
def test_real_tasks_with_the_real_tokenizer(task, real_data, tmp_path):
    albert = str(real_data / "tokenizers" / "albert")
    source = sources.locate(task, str(real_data / "glue"))
    directory = run(tokens_job(task, str(real_data / "glue"), albert, 64, None, None), tmp_path / "artifact")
    tokenizer = load_tokenizer(locate_tokenizer(albert))
    for name in ("train", "dev"):
        examples = read_split(task, name, real_data / "glue")
        split = open_split(directory, name)
        assert len(split) == len(examples) == source.sizes[name]
        assert split.labels.tolist() == examples.labels
        assert 0 < split.lengths.min() <= split.lengths.max() <= 64
        assert split.input_ids.max() < read_meta(directory)["vocab_size"] == 30_000
        for i in range(0, len(split), 97):
            second = None if examples.second is None else examples.second[i]
            direct = tokenizer(
                examples.first[i], second, truncation="longest_first", max_length=64, return_token_type_ids=True
            )
            assert row(split, i) == (direct["input_ids"], direct["token_type_ids"])
