"""A sample of sentences and the tiny ALBERT of the parity fixtures, as the stages of chaos meet them."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from models.checkpoints import directory_revision
from orchestrator.experiment import Context
from tasks.transient_chaos.chaos.stages import LongParams, SweepParams
from tests.parity.tiny_albert import tiny_albert


def write_sentences(directory: Path, ids, types, mask, vocab_size: int = 50) -> Path:
    """An artifact of the sentences stage with these tokens [N, T]."""
    directory.mkdir(parents=True)
    arrays = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}
    save_file({name: np.asarray(x).astype(np.int32) for name, x in arrays.items()}, directory / "sentences.safetensors")
    (directory / "texts.json").write_text(json.dumps([["text"]] * len(ids)))
    meta = {"stage": "sentences", "vocab_size": vocab_size, "pad_token_id": 0}
    (directory / "meta.json").write_text(json.dumps(meta))
    return directory


def save_tiny(directory: Path, change=None) -> Path:
    """Model A as a checkpoint; `change` may alter it first."""
    model = tiny_albert()
    if change is not None:
        change(model)
    model.save_pretrained(directory)
    return directory


def tiny_context(model: Path, sentences: Path, artifact: Path | None = None, **given) -> Context:
    return Context(needs={"sentences": sentences}, paths={"model": str(model)}, artifact=artifact, **given)


def sweep_params(model: Path, **change) -> SweepParams:
    """Model A in float64 on the fixture's four sentences."""
    return SweepParams(**{**_model(model), "sentences": 4, "steps": 40, "window": 10, "exponents": 2, **change})


def long_params(model: Path, **change) -> LongParams:
    return LongParams(**{**_model(model), "steps": 200, "window": 50, "exponents": 2, "sentences": 3, **change})


def _model(model: Path) -> dict:
    return {
        "model": model.name, "revision": directory_revision(model), "encoder": "pretrained", "tokenizer": "fake",
        "dtype": "float64", "corpus": "fake", "text": "single", "length": 8,
    }  # fmt: skip
