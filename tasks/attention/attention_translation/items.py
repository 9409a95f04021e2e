"""The sentences that are evaluated, and their items: one for each predicted position.

Sentences of val come first, in order, then a sample of the training split as large as val. An item is a predicted
position and has a number for each source position, so a sentence's numbers are its matrix [T, S], row after row.

Dimensions: n sentences, N items, S source positions, T predicted positions.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.attention_translator import PAD
from tasks.attention.learning.runs import VAL
from tasks.attention.learning.scores import Layout, evaluated_rows, halves
from tasks.attention.pairs.stages import Pairs, PairSplit, open_pairs
from tasks.attention.ragged import Ragged, length_batches

CELLS = 2048  # source positions of a batch, padding included; a constant, since kernels round differently for others


@dataclass(frozen=True)
class Sentences:
    """What is evaluated, sentences of all splits one after another."""

    pairs: Pairs
    source: Ragged
    target: Ragged
    references: list[str]
    split: np.ndarray
    """Name of each sentence's split, [n]."""
    half: np.ndarray
    """Which fixed half it falls into, uint8 [n]."""

    @property
    def predicted(self) -> np.ndarray:
        """T of each sentence, int64 [n]: all tokens but bos."""
        return self.target.lengths - 1

    @property
    def items(self) -> dict[str, int]:
        """How many items each split has, in order."""
        names = dict.fromkeys(self.split.tolist())
        return {name: int(self.predicted[self.split == name].sum()) for name in names}

    @property
    def layout(self) -> Layout:
        """The items."""
        return Layout(
            items=self.items,
            lengths=np.repeat(self.source.lengths, self.predicted),
            half=np.repeat(self.half, self.predicted),
        )

    @property
    def offsets(self) -> np.ndarray:
        """Where each sentence's numbers begin in a flat quantity, int64 [n+1]."""
        return np.concatenate([[0], np.cumsum(self.source.lengths * self.predicted)])

    def batches(self) -> Iterator[np.ndarray]:
        """Numbers of sentences of similar length, in batches of at most `CELLS` source positions."""
        yield from length_batches(self.source.lengths, CELLS)


def padded_batch(data: PairSplit | Sentences, rows: np.ndarray, device: str | torch.device) -> tuple[Tensor, Tensor]:
    """Source [B, S] and target [B, T+1] of some pairs, padded at the end."""
    source, target = (
        torch.from_numpy(side.padded(rows, PAD)[0].astype(np.int64)).to(device) for side in (data.source, data.target)
    )
    return source, target


@functools.lru_cache(maxsize=1)
def sentences(directory: Path, splits: tuple[str, ...]) -> Sentences:
    """The sentences of the splits asked for, kept between the jobs of a warm actor."""
    pairs = open_pairs(directory)
    sources, targets, references, names, half = [], [], [], [], []
    for split in splits:
        data = pairs.val if split == VAL else pairs.train
        rows = evaluated_rows(split, len(pairs.val), len(pairs.train)).tolist()
        sources += [data.source[row] for row in rows]
        targets += [data.target[row] for row in rows]
        references += [data.references[row] for row in rows]
        names += [split] * len(rows)
        half.append(halves(len(rows), split))
    return Sentences(
        pairs=pairs,
        source=Ragged.of(sources, np.int32),
        target=Ragged.of(targets, np.int32),
        references=references,
        split=np.array(names),
        half=np.concatenate(half),
    )
