"""Vocabulary and ids of the published classification code (tasks/attention/README.md 1)."""

import json
from pathlib import Path

from orchestrator.experiment import Context
from tasks.attention.texts.plan import TextOptions, texts_job
from tasks.attention.texts.stages import open_texts

PUBLISHED = json.loads((Path(__file__).parent / "clf_vocab.json").read_text())


def test_vocabulary_ids_and_labels_are_the_published_ones(tmp_path):
    (tmp_path / "TOY_train.json").write_text(json.dumps(PUBLISHED["raw_train"]))
    (tmp_path / "TOY_test.json").write_text(json.dumps(PUBLISHED["raw_test"]))
    vectors = "".join(f"{word} 0.5 -{i}\n" for i, word in enumerate([*PUBLISHED["w2v_words"], "elsewhere"]))
    (tmp_path / "vectors.txt").write_text(vectors)
    job = texts_job(
        "TOY",
        str(tmp_path),
        word_vectors=str(tmp_path / "vectors.txt"),
        options=TextOptions(test_limit=PUBLISHED["test_set_size"], legacy_order=True),
    )
    (tmp_path / "out").mkdir()
    job.stage.load()(job.params, Context(artifact=tmp_path / "out", paths=job.paths))
    texts = open_texts(tmp_path / "out")
    assert texts.vocabulary == PUBLISHED["itos"]
    for split, documents in (("train", texts.train), ("test", texts.test)):
        assert [documents.tokens[i].tolist() for i in range(len(documents))] == PUBLISHED[f"{split}_ids"]
        assert documents.labels.tolist() == PUBLISHED[f"{split}_y"]
    assert texts.vector_ids is not None
    assert texts.vectors is not None
    words = [texts.vocabulary[i] for i in texts.vector_ids]
    assert sorted(words) == sorted(PUBLISHED["w2v_words"])
    assert texts.vectors.tolist() == [[0.5, -PUBLISHED["w2v_words"].index(word)] for word in words]
