"""The `blocks` stage and its reader. Letters: N blocks, T tokens."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.experiment import Context
from tasks.data.blocks import (
    BLOCKS,
    Blocks,
    BlocksParams,
    blocks_job,
    blocks_of,
    draw_blocks,
    open_blocks,
    token_stream,
    write_blocks,
)
from tasks.data.corpus import Part, locate_corpus, passages
from tasks.data.errors import DataError
from tasks.data.tokenizers import BUILTIN_ROLES, builtin_json, load_tokenizer, locate_tokenizer
from tasks.training.seeds import numpy_stream

CLS, SEP = 2, 3
PARTS: tuple[Part, ...] = ("train", "test")


def run(job, directory):
    directory.mkdir(parents=True)
    assert job.stage.load()(job.params, Context(job_id=job.id, paths=job.paths, artifact=directory)) == {}
    return directory


def made(directory, **changed) -> dict[Part, Blocks]:
    place = run(blocks_job("builtin", "builtin", **({"length": 16} | changed)), directory)
    return {part: open_blocks(place, part) for part in PARTS}


def test_the_blocks_are_the_beginning_of_the_parts_tokens(tmp_path):
    found = made(tmp_path / "a", test_ratio=0.2)
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    for part, blocks in found.items():
        texts = passages(locate_corpus("builtin"), part, test_ratio=0.2)
        stream = [i for text in texts for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
        ids_NT = blocks.input_ids
        assert (ids_NT.dtype, ids_NT.shape) == (np.int32, (len(stream) // 14, 16))
        assert isinstance(ids_NT, np.memmap)
        assert set(ids_NT[:, 0]) == {CLS}
        assert set(ids_NT[:, -1]) == {SEP}
        assert ids_NT[:, 1:-1].ravel().tolist() == stream[: len(ids_NT) * 14]
        assert len(blocks) == blocks.meta["sizes"][part]
    assert found["train"].meta == {
        "stage": "blocks",
        "corpus": "builtin",
        "fingerprint": locate_corpus("builtin").fingerprint,
        "length": 16,
        "vocab_size": 2000,
        "pad_token_id": 0,
        "cls_token_id": CLS,
        "sep_token_id": SEP,
        "mask_token_id": 4,
        "unk_token_id": 1,
        "special_ids": [0, 1, 2, 3, 4],
        "sizes": {part: len(found[part]) for part in PARTS},
    }


pieces = st.lists(st.lists(st.integers(5, 30_000), max_size=30), max_size=10)


@settings(deadline=None)
@given(pieces=pieces, length=st.integers(3, 12))
def test_the_insides_give_the_stream_back_whatever_its_pieces(pieces, length, tmp_path_factory):
    stream = [token for piece in pieces for token in piece]
    cut = list(blocks_of((np.array(piece, np.int32) for piece in pieces), length, CLS, SEP))
    path = tmp_path_factory.mktemp("blocks") / "x.npy"
    n_blocks = write_blocks(path, cut, length)
    ids_NT = np.load(path)
    assert ids_NT.shape == (n_blocks, length) == (len(stream) // (length - 2), length)
    assert ids_NT.dtype == np.int32
    assert ids_NT[:, 1:-1].ravel().tolist() == stream[: n_blocks * (length - 2)]
    assert (ids_NT[:, 0] == CLS).all()
    assert (ids_NT[:, -1] == SEP).all()


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 9), max_size=9), limit=st.integers(1, 20), seed=st.integers(0, 99))
def test_limits_are_nested_and_keep_the_order(sizes, limit, seed):
    numbered = np.arange(sum(sizes), dtype=np.int32)[:, None].repeat(3, 1)
    cut = np.split(numbered, np.cumsum(sizes)[:-1]) if sizes else []

    def drawn(limit, cut):
        return [int(block[0, 0]) for block in draw_blocks(cut, limit, numpy_stream(seed, "x").bit_generator)]

    found = drawn(limit, cut)
    assert len(found) == min(limit, len(numbered))
    assert found == sorted(set(found))
    assert set(found) <= set(drawn(limit + 3, cut))
    assert found == drawn(limit, [numbered])  # the pieces in which the blocks come do not matter


def test_limits_of_a_corpus(tmp_path):
    whole, some, fewer = (
        made(tmp_path / str(n), train_limit=n, test_limit=10, seed=3)["train"].input_ids.tolist()
        for n in (None, 100, 30)
    )
    rows = [tuple(row) for row in whole]
    assert (len(some), len(fewer)) == (100, 30)
    at = [rows.index(tuple(row)) for row in some]
    assert at == sorted(at)
    assert at[-1] > len(rows) / 2  # of all the text, not of its beginning
    assert {tuple(row) for row in fewer} <= {tuple(row) for row in some}
    other = made(tmp_path / "seed", train_limit=100, seed=4)["train"].input_ids.tolist()
    assert other != some


def test_the_same_job_writes_the_same_bytes(tmp_path):
    for name in "ab":
        made(tmp_path / name, train_limit=50)
    for file in ("train.npy", "test.npy", "meta.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_hub_is_read_only_as_far_as_the_limits_ask(tmp_path, monkeypatch):
    from tasks.data import corpus_hub

    read = []

    def articles(revision, seed):
        for i in range(10**9):
            read.append(i)
            yield f"The value of number {i} is returned by the function.\n\nThe list of {i} is not changed."

    monkeypatch.setattr(corpus_hub, "resolve_revision", lambda: "f" * 40)
    monkeypatch.setattr(corpus_hub, "articles", articles)
    job = blocks_job("wikipedia", "builtin", length=16, train_limit=40, test_limit=5, test_ratio=0.2)
    assert job.fingerprints == {"wikipedia": "f" * 40}
    place = run(job, tmp_path / "a")
    assert [len(open_blocks(place, part)) for part in PARTS] == [40, 5]
    assert len(read) < 5000


def test_identity(tmp_path):
    base = blocks_job("builtin", "builtin", length=16)
    changes = [{"length": 17}, {"train_limit": 9}, {"test_limit": 9}, {"test_ratio": 0.1}, {"seed": 1}]
    jobs = [blocks_job("builtin", "builtin", **({"length": 16} | change)) for change in changes]
    assert len({base.id, *(job.id for job in jobs)}) == 1 + len(changes)
    (tmp_path / "text.txt").write_text("one two three " * 50, "utf-8")
    assert set(blocks_job(str(tmp_path / "text.txt"), "builtin", length=16).fingerprints) == {"text.txt"}


def test_too_little_text(tmp_path):
    (tmp_path / "train.txt").write_text("One sentence of text. " * 50, "utf-8")
    (tmp_path / "valid.txt").write_text("One more.\n= Heading =\n", "utf-8")
    job = blocks_job(str(tmp_path), "builtin", length=32)
    with pytest.raises(
        DataError, match=r"its part test has fewer than 30 tokens, too few for one block of 32; ask for"
    ):
        run(job, tmp_path / "artifact")


def test_a_tokenizer_without_mask(tmp_path):
    directory = tmp_path / "tok"
    directory.mkdir()
    (directory / "tokenizer.json").write_text(builtin_json())
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{k: v for k, v in BUILTIN_ROLES.items() if k != "mask_token"},
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(DataError, match=r"tok has no mask_token; add it to its tokenizer_config\.json, or give"):
        run(blocks_job("builtin", str(directory), length=16), tmp_path / "artifact")


def test_bad_parameters_and_artifacts(tmp_path):
    good: dict[str, Any] = {"corpus": "builtin", "tokenizer": "builtin", "tokenizer_revision": "0"}
    for change, match in [
        ({"length": 7}, "length is 7: give at least 8"),
        ({"train_limit": 0}, "train-limit is 0: give at least 1"),
        ({"test_limit": -1}, "test-limit is -1: give at least 1"),
        ({"test_ratio": 0.0}, r"test-ratio is 0.0: give more than 0"),
    ]:
        with pytest.raises(ValueError, match=match):
            BlocksParams(**(good | change))
    with pytest.raises(ValueError, match=r"give context\.artifact"):
        BLOCKS.load()(BlocksParams(**good), Context())
    with pytest.raises(DataError, match=r"meta\.json: no such file; expected an artifact of the blocks stage"):
        open_blocks(tmp_path, "train")
    (tmp_path / "meta.json").write_text('{"stage": "blocks", "sizes": {"train": 1}}')
    with pytest.raises(DataError, match="no part 'test', it has train"):
        open_blocks(tmp_path, "test")


def test_an_artifact_with_objects_is_not_opened(tmp_path):
    (tmp_path / "meta.json").write_text('{"stage": "blocks", "sizes": {"train": 1}}')
    np.save(tmp_path / "train.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="object"):
        open_blocks(tmp_path, "train")


def test_an_empty_stream():
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    assert list(token_stream([], tokenizer)) == []
    assert list(blocks_of([], 8, CLS, SEP)) == []


@pytest.mark.real_data
def test_wikitext_with_the_real_tokenizer(real_data, tmp_path):
    job = blocks_job(str(real_data / "wikitext-2"), str(real_data / "tokenizers" / "albert"), length=128)
    place = run(job, tmp_path / "artifact")
    train, test = (open_blocks(place, part) for part in PARTS)
    assert (train.input_ids.shape, test.input_ids.shape) == ((2360, 128), (753, 128))
    assert train.meta["vocab_size"] == 30_000 > train.input_ids.max()
    for blocks in (train, test):
        inner = blocks.input_ids[:, 1:-1]
        assert not np.isin(inner, [0, 2, 3, 4]).any()  # <unk> stands in the text itself
        assert (blocks.input_ids[:, [0, -1]] == [2, 3]).all()
