"""A tiny random network, and an artifact of the tokens stage with made ids for it, which takes no tokenizer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.data.artifacts import write_table

VOCAB = 40
LENGTHS = (5, 9, 3, 12, 7, 4, 6)
NETWORK: dict[str, Any] = {
    "model": "scratch",
    "encoder": "random",
    "architecture": "bert",
    "layers": 2,
    "width": 16,
    "heads": 2,
    "intermediate": 32,
    "encoder_seed": 3,
    "tokenizer": "made",
    "task": "acceptability",
}
"""Fields of `DiagnosticParams`."""


def write_tokens(directory: Path, task: str, lengths=LENGTHS) -> Path:
    """An artifact of the tokens stage with made ids."""
    rng, regression = np.random.default_rng(0), task == "similarity"
    ids = [rng.integers(4, VOCAB, n) for n in lengths]
    labels = pa.array(np.arange(len(lengths)) % 3 / 2 if regression else np.arange(len(lengths)) % 2)
    columns = {
        "input_ids": pa.array(ids, pa.list_(pa.int32())),
        "token_type_ids": pa.array([np.zeros(n) for n in lengths], pa.list_(pa.int8())),
        "label": labels.cast(pa.float64() if regression else pa.int64()),
    }
    directory.mkdir(parents=True)
    write_table(pa.table(columns), directory / "train", "made")
    meta = {"task": task, "n_outputs": 1 if regression else 2, "is_regression": regression, "vocab_size": VOCAB}
    meta |= {"pad_token_id": 1, "max_length": 16, "sizes": {"train": len(lengths)}}
    (directory / "meta.json").write_text(json.dumps(meta))
    return directory
