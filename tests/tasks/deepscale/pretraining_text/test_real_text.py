"""wikitext-2 with the vocabulary of BERT: what comes out is its text."""

import unicodedata

import numpy as np
import pytest

from orchestrator.experiment import Context
from tasks.data.tokenizers import load_tokenizer, locate_tokenizer
from tasks.deepscale.pretraining_text.batches import Batches
from tasks.deepscale.pretraining_text.documents import open_documents
from tasks.deepscale.pretraining_text.plan import documents_job
from tests.research_data import research_data
from tests.tasks.deepscale.pretraining_text.made import padding_share


def written(ids):
    return " " + " ".join(map(str, np.asarray(ids).tolist())) + " "


@pytest.mark.real_data
def test_wikitext(tmp_path):
    text, vocabulary = research_data("wikitext-2"), research_data("tokenizers", "bert-uncased")
    job = documents_job(str(text), str(vocabulary))
    job.stage.load()(job.params, Context(job_id=job.id, paths=job.paths, artifact=tmp_path))
    documents = open_documents(tmp_path, "train")
    meta = documents.meta
    assert [meta[f"{role}_token_id"] for role in ("pad", "cls", "sep", "mask")] == [0, 101, 102, 103]
    assert meta["sizes"]["train"]["documents"] == 62
    assert meta["left_out"] == {part: {"under_two_sentences": 0, "long_sentence": 0} for part in ("train", "test")}
    tokenizer = load_tokenizer(locate_tokenizer(str(vocabulary)))
    plain = unicodedata.normalize("NFD", (text / "train.txt").read_text("utf-8").lower())
    bare = "".join(c for c in plain if unicodedata.category(c) != "Mn" and not c.isspace())
    compared = 0
    for at in documents.documents[:-1]:
        begin = documents.tokens[documents.sentences[at] : documents.sentences[at + 2]]
        if meta["unk_token_id"] not in begin:
            assert str(tokenizer.decode(begin)).replace(" ", "") in bare
            compared += 1
    assert compared > 50
    whole = written(documents.tokens)
    batches = Batches(documents, length=128, global_batch=32, micro_batch=8, seed=0)
    masked = tokens = 0
    for batch in batches.micro_batches(1):
        ids = batch.input_ids.clone()
        ids.view(-1)[batch.positions] = batch.labels
        for row, types, swapped in zip(ids, batch.token_type_ids, batch.order, strict=True):
            n_b = int(types.sum())
            n_a = int((row != 0).sum()) - n_b
            a, b = (written(part) for part in (row[1 : n_a - 1], row[n_a : n_a + n_b - 1]))
            at_a, at_b = whole.find(a), whole.find(b)
            assert min(at_a, at_b) >= 0
            assert (at_a > at_b) == bool(swapped)
        masked, tokens = masked + len(batch.labels), tokens + batch.n_tokens
        goes_on = documents.continues[ids]
        hidden = np.zeros(ids.shape, bool)
        hidden.ravel()[batch.positions.numpy()] = True
        plain = goes_on[:, 1:] & ~np.isin(ids[:, :-1], [101, 102])
        assert np.array_equal(hidden[:, 1:][plain], hidden[:, :-1][plain])
    assert 0.13 < masked / tokens < 0.15
    assert padding_share(batches) < 0.02
