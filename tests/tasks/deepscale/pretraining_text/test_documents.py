"""The stage `documents`, its files and its reader."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from orchestrator.experiment import Context, Job
from tasks.data.errors import DataError
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.deepscale.pretraining_text import documents as stage
from tasks.deepscale.pretraining_text.columns import column_writer, read_column, write_column
from tasks.deepscale.pretraining_text.documents import continuing, open_documents
from tasks.deepscale.pretraining_text.plan import documents_job

TRAIN = "= A =\nOne is here . Two is here .\nThree .\n= B =\nAlone .\n= C =\nFour ! Five ? Six .\n"
TEST = "= D =\nSeven and eight . Nine .\n"


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "train.txt").write_text(TRAIN, "utf-8")
    (tmp_path / "text" / "test.txt").write_text(TEST, "utf-8")
    return tmp_path / "text"


def run(job, directory):
    directory.mkdir()
    assert job.stage.load()(job.params, Context(job_id=job.id, paths=job.paths, artifact=directory)) == {}
    return directory


def digests(directory):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in directory.rglob("*") if p.is_file()}


def test_files_hold_the_ids_of_the_sentences(corpus, tmp_path):
    place = run(documents_job(str(corpus), "builtin"), tmp_path / "a")
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    train, test = open_documents(place, "train"), open_documents(place, "test")
    expected = ["One is here .", "Two is here .", "Three .", "Four !", "Five ?", "Six ."]
    ids = [tokenizer(sentence, add_special_tokens=False)["input_ids"] for sentence in expected]
    assert [train.tokens[a:b].tolist() for a, b in zip(train.sentences, train.sentences[1:], strict=False)] == ids
    assert train.documents.tolist() == [0, 3, 6]
    assert (train.tokens.dtype, len(train), len(test)) == (np.uint16, 2, 1)
    assert not train.tokens.flags.writeable
    assert np.array_equal(train.counts, np.bincount(train.tokens, minlength=2000))
    frequency = train.counts / len(train.tokens)
    assert train.meta["same_token"] == pytest.approx(float(frequency @ frequency), rel=1e-12)
    assert train.meta["sizes"]["train"] == {"documents": 2, "sentences": 6, "tokens": len(train.tokens)}
    assert train.meta["left_out"]["train"] == {"under_two_sentences": 1, "long_sentence": 0}
    assert not list(place.rglob("*.raw"))


def test_a_long_sentence_leaves_its_document_out(corpus, tmp_path):
    tokenizer = load_tokenizer(locate_tokenizer("builtin"))
    longest = len(tokenizer("Four !", add_special_tokens=False)["input_ids"]) + 1
    (corpus / "test.txt").write_text("= D =\nFour ! Four !\n")
    job = documents_job(str(corpus), "builtin")
    shorter = dataclasses.replace(job.params, longest_sentence=longest)
    place = run(Job(stage=job.stage, params=shorter, paths=job.paths), tmp_path / "a")
    meta = open_documents(place, "train").meta
    assert meta["left_out"]["train"] == {"under_two_sentences": 1, "long_sentence": 1}
    assert meta["sizes"]["train"]["documents"] == 1


def test_the_same_bytes_whatever_goes_to_the_tokenizer_at_once(corpus, tmp_path, monkeypatch):
    job = documents_job(str(corpus), "builtin")
    once = digests(run(job, tmp_path / "a"))
    monkeypatch.setattr(stage, "CHUNK", 1)
    assert digests(run(job, tmp_path / "b")) == once


def test_no_more_text_is_in_memory_than_the_tokenizer_gets_at_once(monkeypatch):
    monkeypatch.setattr(stage, "CHUNK", 20)
    pulled = done = 0

    def texts():
        nonlocal pulled
        for _ in range(100):
            pulled += 3
            yield "train", ["One . Two . Three ."]

    for _, document in stage.tokenised(texts(), load_tokenizer(locate_tokenizer("builtin"))):
        assert pulled - done <= 20 + 3
        done += len(document)
    assert done == pulled == 300


def test_a_limit_of_documents(tmp_path):
    place = run(documents_job("builtin", "builtin", test_ratio=0.3, document_limit=5), tmp_path / "a")
    assert len(open_documents(place, "train")) == 5
    with pytest.raises(ValueError, match="document-limit is 0: give at least 1"):
        documents_job("builtin", "builtin", document_limit=0)


def test_the_job_is_its_text_and_tokenizer_and_not_their_places(corpus, tmp_path):
    job = documents_job(str(corpus), "builtin", test_ratio=0.2)
    moved = corpus.rename(tmp_path / "other")
    moved.joinpath("x").mkdir()
    other = (moved / "x").rename(tmp_path / "deeper")
    place = moved.rename(other / "text")
    assert documents_job(str(place), "builtin", test_ratio=0.3).id == job.id  # it has parts of its own
    (place / "train.txt").write_text(TRAIN + "More .")
    assert documents_job(str(place), "builtin").id != job.id


def test_pieces_that_go_on_with_a_word(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##believ\n##able\n##\n#\n")
    wordpiece = load_tokenizer(locate_tokenizer(str(tmp_path)))
    assert continuing(wordpiece).tolist() == [False] * 6 + [True] * 2 + [False] * 2
    builtin = load_tokenizer(locate_tokenizer("builtin"))
    ids = builtin("it is unbelievable", add_special_tokens=False)["input_ids"]
    pieces = builtin.convert_ids_to_tokens(ids)
    assert len(ids) > 3
    assert continuing(builtin)[ids].tolist() == [not piece.startswith("▁") for piece in pieces]
    assert not continuing(builtin)[:5].any()


def test_parts_without_a_document(tmp_path):
    (tmp_path / "x.txt").write_text("= A =\nOne . Two .\n")
    with pytest.raises(DataError, match=r"its part \w+ has no document of two sentences or more \(left out: .*give"):
        run(documents_job(str(tmp_path), "builtin"), tmp_path / "a")


def test_artifacts_that_are_damaged_or_others(corpus, tmp_path):
    place = run(documents_job(str(corpus), "builtin"), tmp_path / "a")
    with pytest.raises(DataError, match="no part 'dev', it has train, test"):
        open_documents(place, "dev")  # type: ignore[arg-type]
    file = place / "train" / "sentences.arrow"
    whole = file.read_bytes()
    for bad in (whole[:100], b"", b"x" * 1000):
        file.write_bytes(bad)
        with pytest.raises(DataError, match=r"sentences\.arrow: cannot be read .* run the job"):
            open_documents(place, "train")
    write_column(file, np.zeros(3, np.float32))
    with pytest.raises(DataError, match=r"sentences\.arrow: expected one column `value` of int64; run"):
        open_documents(place, "train")
    meta = json.loads((place / "meta.json").read_text())
    (place / "meta.json").write_text(json.dumps(meta | {"stage": "blocks"}))
    with pytest.raises(DataError, match="not an artifact of the documents stage"):
        open_documents(place, "train")


def test_columns_of_all_kinds_come_back(tmp_path):
    for kind, values in ((np.uint16, [1, 65535]), (np.int64, [-1, 2**40]), (np.int64, []), (np.int32, range(9))):
        with column_writer(tmp_path / "x.arrow", np.dtype(kind)) as column:
            for value in values:
                column.append(np.array([value], kind))
        found = read_column(tmp_path / "x.arrow", kind)
        assert (found.tolist(), found.dtype, column.size) == (list(values), kind, len(values))
    write_column(tmp_path / "x.arrow", np.array([True, False, True]))
    assert read_column(tmp_path / "x.arrow", np.bool_).tolist() == [True, False, True]
