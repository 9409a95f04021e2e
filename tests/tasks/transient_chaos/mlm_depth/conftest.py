"""Shared pieces of the `mlm_depth` tests: tiny blocks, a tiny checkpoint with a readout, parameters that fit."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AlbertForMaskedLM

from models.albert import scratch_config
from models.checkpoints import directory_revision
from orchestrator.experiment import Context
from tasks.transient_chaos.mlm_depth.stages import FrozenParams

VOCAB = 90
SPECIALS = {"pad_token_id": 0, "unk_token_id": 1, "cls_token_id": 2, "sep_token_id": 3, "mask_token_id": 4}


def write_blocks(directory: Path, train: int, test: int, length: int = 16, vocab: int = VOCAB, steps: int = 3) -> Path:
    """An artifact of the blocks stage with made text: a token is the one before plus less than `steps`, so there is
    something to learn; with 1 a block is one token again and again."""
    directory.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, size in (("train", train), ("test", test)):
        ids = (np.cumsum(rng.integers(0, steps, size=(size, length)), axis=1) + rng.integers(0, 80, (size, 1))) % 85 + 5
        ids[:, 0], ids[:, -1] = 2, 3
        np.save(directory / f"{part}.npy", ids.astype(np.int32))
    meta = {"stage": "blocks", "corpus": "made", "fingerprint": "0", "length": length, "vocab_size": vocab}
    meta |= {**SPECIALS, "special_ids": [0, 1, 2, 3, 4], "sizes": {"train": train, "test": test}}
    (directory / "meta.json").write_text(json.dumps(meta))
    return directory


@pytest.fixture(scope="session")
def blocks(tmp_path_factory) -> Path:
    return write_blocks(tmp_path_factory.mktemp("blocks") / "made", train=44, test=70)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """An ALBERT of width 16 with a masked-LM readout that is no fresh one."""
    directory = tmp_path_factory.mktemp("models") / "tiny-mlm"
    config = scratch_config(16, heads=2, embedding_size=8, vocab_size=VOCAB, max_position=32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = AlbertForMaskedLM(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def params(checkpoint) -> FrozenParams:
    return FrozenParams(
        model=checkpoint.name,
        revision=directory_revision(checkpoint),
        encoder="pretrained",
        tokenizer="made",
        dtype="float64",
        corpus="made",
        length=16,
        depths=(1, 2, 4, 7),
        readouts=("trained", "new", "zero_shot"),
        seeds=(0, 1),
        batch_size=8,
        epochs=2,
        warmup=3,
        learning_rate=1e-2,
        mask_ratio=0.3,
        curve_points=4,
    )


@pytest.fixture(scope="session")
def random_params(params) -> FrozenParams:
    return dataclasses.replace(
        params, encoder="random", init_style="hf_default", encoder_seed=5, readouts=("new",), seeds=(0,)
    )


@pytest.fixture(scope="session")
def context(blocks, checkpoint) -> Context:
    return Context(needs={"blocks": blocks}, paths={"model": str(checkpoint)})
