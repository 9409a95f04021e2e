"""Small tokenised data without files, and a context that points to them. B batch, T tokens, N examples."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrator.experiment import Context
from tasks.transient_chaos.glue_depth import features


@dataclass(frozen=True)
class FakeSplit:
    """The interface of `TokenisedSplit` over lists of ids."""

    ids: list[list[int]]
    types: list[list[int]]
    labels: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        return np.array([len(row) for row in self.ids])

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, indices) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        longest = max(len(self.ids[i]) for i in indices)
        return (
            torch.tensor([self.ids[i] + [0] * (longest - len(self.ids[i])) for i in indices]),
            torch.tensor([self.types[i] + [0] * (longest - len(self.ids[i])) for i in indices]),
            torch.tensor([[1] * len(self.ids[i]) + [0] * (longest - len(self.ids[i])) for i in indices]),
        )


def fake_split(n: int, seed: int, n_outputs: int, longest: int = 8, vocab: int = 50) -> FakeSplit:
    """`n` random sentences of 3 to `longest` tokens; scores in 0..5 when there is one output."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, longest + 1, n)
    ids = [[2, *rng.integers(5, vocab, k - 2).tolist(), 3] for k in lengths]
    types = [[0] * (len(row) // 2) + [1] * (len(row) - len(row) // 2) for row in ids]
    labels = rng.uniform(0, 5, n) if n_outputs == 1 else rng.integers(0, n_outputs, n)
    return FakeSplit(ids, types, labels)


def fake_context(
    directory: Path, monkeypatch: pytest.MonkeyPatch, task: str, splits: dict[str, FakeSplit], **context
) -> Context:
    """A context whose tokens are `splits`; the stages' `open_split` is replaced."""
    meta = {"task": task, "vocab_size": 50, "pad_token_id": 0, "max_length": 8}  # what the stages read of it
    (directory / "meta.json").write_text(json.dumps(meta))
    monkeypatch.setattr(features, "open_split", lambda _, name: splits[name])
    return Context(needs={"tokens": directory}, **context)
