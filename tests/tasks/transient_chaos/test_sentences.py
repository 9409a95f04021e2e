"""The `sentences` stage, its sample and its reader. Letters: N sentences, T tokens."""

import dataclasses
import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.experiment import Context
from tasks.data.corpus import locate_corpus, passages
from tasks.data.errors import DataError
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.transient_chaos.sampling import candidates, draw, first, sample
from tasks.transient_chaos.sentences import SENTENCES, SentencesParams, first_come, open_sentences, sentences_job
from tests.research_data import research_data


def run(job, directory):
    directory.mkdir(parents=True)
    assert job.stage.load()(job.params, Context(job_id=job.id, paths=job.paths, artifact=directory)) == {}
    return directory


def made(directory, **changed):
    options: dict[str, Any] = {"text": "pairs", "length": 32, "count": 40, "part": "train"} | changed
    return open_sentences(run(sentences_job("builtin", "builtin", **options), directory))


@pytest.mark.parametrize("text", ["pairs", "single"])
def test_equals_tokenising_directly(text, tmp_path):
    found = made(tmp_path / "a", text=text)
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    texts = list(zip(*found.texts, strict=True))
    assert len(texts) == (2 if text == "pairs" else 1)
    direct = tokenizer(
        list(texts[0]),
        list(texts[1]) if text == "pairs" else None,
        truncation="longest_first",
        max_length=32,
        padding="max_length",
        return_token_type_ids=True,
        return_tensors="pt",
    )
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        tensor = getattr(found, name)
        assert (tensor.dtype, tensor.shape) == (torch.int64, (40, 32))
        assert torch.equal(tensor, direct[name])
    assert len(found) == len(set(found.texts)) == 40
    assert 0 < int(found.attention_mask.sum(1).min()) <= 32
    assert found.meta == {
        "stage": "sentences",
        "corpus": "builtin",
        "fingerprint": locate_corpus("builtin").fingerprint,
        "part": "train",
        "text": text,
        "length": 32,
        "vocab_size": 2000,
        "pad_token_id": 0,
        "cls_token_id": 2,
        "sep_token_id": 3,
        "mask_token_id": 4,
        "unk_token_id": 1,
        "special_ids": [0, 1, 2, 3, 4],
        "sizes": {"train": 40},
    }


def test_what_is_taken_of_a_passage(tmp_path):
    in_part = set(passages(locate_corpus("builtin"), "train"))
    for a, b in made(tmp_path / "pairs").texts:
        [passage] = [x for x in in_part if x.startswith(f"{a} {b}")]
        assert len(passage) > 4 * 32
        assert len(a) + len(b) <= 8 * 32
    for (text,) in made(tmp_path / "single", text="single").texts:
        assert text in in_part
        assert len(text) > 4 * 32
    long = "word " * 1000
    assert list(candidates([long, "short"], "single", 16)) == [(long[: 64 * 16],)]
    assert list(candidates([long], "pairs", 16)) == []  # one sentence only


def test_legacy_packing(tmp_path):
    ours, published = made(tmp_path / "a"), made(tmp_path / "b", legacy_packing=True)
    assert ours.texts == published.texts
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    differ = 0
    for n, (a, b) in enumerate(published.texts):
        first_ids, second_ids = (tokenizer(x, add_special_tokens=False)["input_ids"] for x in (a, b))
        expected = first_come(first_ids, second_ids, 32, cls=2, sep=3, pad=0)
        rows = published.input_ids[n], published.token_type_ids[n], published.attention_mask[n]
        assert [row.tolist() for row in rows] == [row[:32] for row in expected]
        differ += not torch.equal(ours.input_ids[n], published.input_ids[n])
    assert differ > 0


def test_a_sample_depends_on_its_seed_and_grows_at_its_end(tmp_path):
    base = made(tmp_path / "a")
    assert made(tmp_path / "b").texts == base.texts
    assert (tmp_path / "a" / "sentences.safetensors").read_bytes() == (
        tmp_path / "b" / "sentences.safetensors"
    ).read_bytes()
    assert made(tmp_path / "c", count=90).texts[:40] == base.texts
    other = made(tmp_path / "d", seed=1)
    assert set(other.texts) != set(base.texts)
    in_test = made(tmp_path / "e", part="test", count=20)
    assert not set(in_test.texts) & set(made(tmp_path / "f", count=300).texts)


texts = st.lists(st.tuples(st.text("ab", max_size=4)), max_size=40)


@settings(deadline=None)
@given(texts=texts, count=st.integers(1, 12), key=st.binary(min_size=1, max_size=8), data=st.data())
def test_a_draw_ignores_order_and_repetitions(texts, count, key, data):
    drawn = draw(texts, count, key)
    assert len(drawn) == len(set(drawn)) == min(count, len(set(texts)))
    assert set(drawn) <= set(texts)
    assert draw(data.draw(st.permutations([*texts, *texts[:5]])), count, key) == drawn
    assert draw(texts, count + 3, key)[:count] == drawn


def test_every_text_has_the_same_chance_in_a_draw():
    everything = [(str(i),) for i in range(10)]
    counts = Counter(text for seed in range(2000) for text in draw(everything, 3, seed.to_bytes(8, "big")))
    assert set(counts) == set(everything)
    assert max(abs(n - 600) for n in counts.values()) < 5 * (2000 * 0.3 * 0.7) ** 0.5


@settings(deadline=None)
@given(texts=texts, count=st.integers(1, 12))
def test_the_first_different_texts(texts, count):
    assert first(texts, count) == list(dict.fromkeys(texts))[:count]


def test_the_first_texts_ask_for_no_more_than_they_need():
    assert first(((str(i // 2),) for i in itertools.count()), 3) == [("0",), ("1",), ("2",)]


def test_too_few_passages(tmp_path):
    with pytest.raises(DataError) as caught:
        made(tmp_path / "a", count=5000, part="test")
    text = str(caught.value)
    assert text.startswith("corpus builtin: 5000 texts were asked for of its part test, which has ")
    assert "different passages of over 128 characters (4 a token) and first two sentences of at most 256" in text
    n_there = int(text.split("which has ")[1].split()[0])
    assert len(made(tmp_path / "b", count=n_there, part="test")) == n_there  # the number said is the one there is


def test_the_hubs_sample_reads_only_as_far_as_it_must(monkeypatch):
    from tasks.data import corpus_hub

    seen = []

    def articles(revision, seed):
        for i in range(10**9):
            seen.append(i)
            yield f"Title {i}\n\n{'Word ' * 20}{i}.\nshort"

    monkeypatch.setattr(corpus_hub, "articles", articles)
    corpus = dataclasses.replace(locate_corpus("builtin"), kind="hub", fingerprint="0" * 40)
    found = sample(corpus, text="single", length=16, count=50, part="train", seed=0, test_ratio=0.5)
    assert len(set(found)) == 50
    assert 50 < len(seen) < 200


def test_the_identity_holds_what_shapes_the_bytes_and_no_place(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name / "text").mkdir(parents=True)
        (tmp_path / name / "text" / "a.txt").write_text("x" * 200, "utf-8")
    options: dict[str, Any] = {"text": "single", "length": 16, "count": 1}
    here, there = (sentences_job(str(tmp_path / name / "text"), "builtin", **options) for name in ("here", "there"))
    assert here.id == there.id
    assert here.paths != there.paths
    assert here.data == f"text@{here.fingerprints['text']}"
    changes = [{"text": "pairs"}, {"length": 17}, {"count": 2}, {"part": "train"}, {"seed": 1}, {"test_ratio": 0.5}]
    changes += [{"legacy_packing": True}]
    jobs = [sentences_job(str(tmp_path / "here" / "text"), "builtin", **(options | change)) for change in changes]
    assert len({here.id, *(job.id for job in jobs)}) == 1 + len(changes)


def test_where_the_parts_are_given_the_ratio_changes_nothing(tmp_path):
    for name in ("train.txt", "valid.txt"):
        (tmp_path / name).write_text(f"{name} " * 30, "utf-8")
    ids = {
        sentences_job(str(tmp_path), "builtin", text="single", length=16, count=1, test_ratio=ratio).id
        for ratio in (0.1, 0.2)
    }
    assert len(ids) == 1


def test_other_text_than_planned_is_refused(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("one " * 100, "utf-8")
    job = sentences_job(str(file), "builtin", text="single", length=16, count=1)
    file.write_text("two " * 100, "utf-8")
    with pytest.raises(DataError, match=r"text\.txt\) was .* when the sweep was planned and is .* here"):
        run(job, tmp_path / "artifact")


def test_bad_parameters(tmp_path):
    good: dict[str, Any] = {"corpus": "builtin", "tokenizer": "builtin", "tokenizer_revision": "0", "count": 1}
    for change, match in [
        ({"length": 7}, "length is 7: give at least 8"),
        ({"count": 0}, "count is 0: give at least 1"),
        ({"test_ratio": 1.0}, r"test-ratio is 1\.0: give more than 0 and less than 1"),
    ]:
        with pytest.raises(ValueError, match=match):
            SentencesParams(**(good | change))
    with pytest.raises(ValueError, match=r"give context\.artifact"):
        SENTENCES.load()(SentencesParams(**good), Context())
    with pytest.raises(DataError, match=r"meta\.json: no such file; expected an artifact of the sentences stage"):
        open_sentences(tmp_path)
    (tmp_path / "meta.json").write_text('{"stage": "blocks"}')
    with pytest.raises(DataError, match=r"meta\.json: not an artifact of the sentences stage"):
        open_sentences(tmp_path)


@pytest.mark.real_data
def test_wikitext_with_the_real_tokenizer(tmp_path):
    albert, wikitext = research_data("tokenizers", "albert"), research_data("wikitext-2")
    job = sentences_job(str(wikitext), str(albert), text="pairs", length=32, count=200)
    found = open_sentences(run(job, tmp_path / "artifact"))
    valid = (wikitext / "valid.txt").read_text("utf-8")
    assert all(a in valid and b in valid for a, b in found.texts)
    assert not [a for a, _ in found.texts if a.startswith("= ")]
    assert np.median([len(a) for a, _ in found.texts]) > 40  # sentences, not abbreviations
    assert found.meta["vocab_size"] == 30_000
    assert found.input_ids[:, 0].eq(2).all()
    assert found.input_ids.eq(3).sum(1).eq(2).all()
    assert torch.equal(found.input_ids.ne(0), found.attention_mask.bool())
    assert job.params.test_ratio is None
