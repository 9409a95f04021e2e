"""Tiny made documents and a tiny network, for the tests of pretraining; also for processes that tests start."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.checkpoints import Checkpoints
from orchestrator.experiment import Context
from orchestrator.storage import Storage
from tasks.data.artifacts import write_meta
from tasks.deepscale.deep_bert.stages import PretrainParams
from tasks.deepscale.pretraining_text.columns import write_column

VOCAB = 50
SPECIALS = {"pad_token_id": 0, "unk_token_id": 1, "cls_token_id": 2, "sep_token_id": 3, "mask_token_id": 4}


def write_documents(directory: Path, train: int = 30, test: int = 7) -> Path:
    """An artifact of the stage `documents`: each token is the one before plus 1 or 2."""
    rng = np.random.default_rng(0)
    counts = np.zeros(VOCAB, np.int64)
    for part, size in (("train", train), ("test", test)):
        (directory / part).mkdir(parents=True)
        tokens, sentences, documents = [], [0], [0]
        for _ in range(size):
            for _ in range(int(rng.integers(3, 9))):
                steps = rng.integers(1, 3, int(rng.integers(3, 9)))
                tokens.append((int(rng.integers(45)) + np.cumsum(steps)) % 45 + 5)
                sentences.append(sentences[-1] + len(steps))
            documents.append(len(sentences) - 1)
        flat = np.concatenate(tokens).astype(np.uint16)
        if part == "train":
            counts += np.bincount(flat, minlength=VOCAB)
        write_column(directory / part / "tokens.arrow", flat)
        write_column(directory / part / "sentences.arrow", np.array(sentences, np.int64))
        write_column(directory / part / "documents.arrow", np.array(documents, np.int64))
    write_column(directory / "continues.arrow", np.zeros(VOCAB, bool))
    write_column(directory / "counts.arrow", counts)
    meta: dict[str, Any] = {"stage": "documents", "corpus": "made", "fingerprint": "0", "tokenizer": "made"}
    meta |= {"vocab_size": VOCAB, **SPECIALS, "special_ids": [0, 1, 2, 3, 4], "sizes": {"train": {}, "test": {}}}
    meta["same_token"] = float(((counts / counts.sum()) ** 2).sum())
    write_meta(directory, meta)
    return directory


PARAMS = PretrainParams(
    norm="post", scheme="dslm", layers=3, width=16, heads=2, corpus="made", tokenizer="made",
    length=32, global_batch=8, micro_batch=2, steps=6, learning_rate=1e-3, warmup=0.2, precision="float64",
    seed=1, points=3, test_points=1, test_samples=100,
)  # fmt: skip


def changed(**values: Any) -> PretrainParams:
    return dataclasses.replace(PARAMS, **values)


def context(documents: Path, artifact: Path | None, saved: Path | None = None, **values: Any) -> Context:
    """A context in which states are saved whenever that is possible, in the directory `saved`."""
    checkpoints = None if saved is None else Checkpoints(Storage.at(str(saved)), "pretrain_bert", "0123456789abcdef")
    given: dict[str, Any] = {"paths": {"checkpoint_seconds": "0"}, **values}
    if artifact is not None:
        artifact.mkdir(parents=True, exist_ok=True)
    return Context(needs={"documents": documents}, artifact=artifact, checkpoints=checkpoints, **given)
