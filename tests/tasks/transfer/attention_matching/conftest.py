"""Shared pieces of the `attention_matching` tests: made proteins, tiny encoders, sides with planted maps."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from orchestrator.experiment import Context
from tasks.data.artifacts import write_table
from tasks.data.tokenizers import locate_tokenizer
from tasks.transfer.attention_matching.stages import MatchingParams
from tasks.transfer.comparison.sides import ProteinBatch, Side

LENGTHS = (5, 12, 3, 9, 7, 8, 4)
"""Residues of the made proteins."""


def write_proteins(directory: Path, task: str = "builtin", lengths: tuple[int, ...] = LENGTHS) -> Path:
    """An artifact of the stage `protein_data` with made residues."""
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    residues = rng.integers(1, 21, offsets[-1]).astype(np.uint8)
    directory.mkdir(parents=True)
    table = pa.table({"residues": pa.ListArray.from_arrays(pa.array(offsets), pa.array(residues))})
    write_table(table, directory / "proteins", "made")
    meta = {"stage": "protein_data", "task": task, "split": "test", "proteins": len(lengths), "labels": "none"}
    (directory / "meta.json").write_text(json.dumps(meta))
    return directory


@pytest.fixture(scope="session")
def proteins(tmp_path_factory) -> Path:
    return write_proteins(tmp_path_factory.mktemp("proteins") / "made")


@pytest.fixture(scope="session")
def context(proteins) -> Context:
    return Context(needs={"proteins": proteins})


@pytest.fixture(scope="session")
def params() -> MatchingParams:
    """A random BERT of two layers and a random PLUS of three, with two and three heads."""
    tokenizer = locate_tokenizer("builtin")
    return MatchingParams(
        first="random",
        second="plus",
        protein_task="builtin",
        split="test",
        max_length=16,
        model="scratch",
        encoder_seed=1,
        architecture="bert",
        layers=2,
        width=16,
        heads=2,
        intermediate=32,
        tokenizer=tokenizer.name,
        tokenizer_revision=tokenizer.revision,
        plus="random",
        plus_seed=0,
        plus_layers=3,
        plus_width=12,
        plus_heads=3,
        plus_intermediate=24,
        dtype="float64",
    )


def planted(layers: int, heads: int, seed: int, like: Side | None = None, perm: np.ndarray | None = None) -> Side:
    """A side with softmax maps drawn for each protein and layer, zero where a key is padding; with `like`, 0.7 of that
    side's maps with their heads permuted and 0.3 of its own."""

    def maps(batch: ProteinBatch) -> tuple[torch.Tensor, ...]:
        T, found = batch.tokens.shape[1], []
        for layer in range(layers):
            each = []
            for i, protein in enumerate(batch.proteins):
                stream = torch.Generator().manual_seed(1000 * seed + 100 * layer + int(protein))
                n = int(batch.lengths[i])
                scores = torch.zeros(heads, T, T, dtype=torch.float64)
                scores[:, :n, :n] = 2 * torch.randn(heads, n, n, dtype=torch.float64, generator=stream)
                each.append(scores.masked_fill(batch.mask[i] == 0, -torch.inf).softmax(-1))
            found.append(torch.stack(each))
        if like is None:
            return tuple(found)
        return tuple(0.7 * theirs[:, perm] + 0.3 * own for theirs, own in zip(like.maps(batch), found, strict=True))

    return Side(
        role="random",
        layers=layers,
        width=8,
        heads=heads,
        model=None,
        states=lambda batch: (),
        maps=maps,
    )
