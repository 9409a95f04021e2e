"""The documents whose attention is compared, test documents in order, then a sample of the training documents; batches.

N items, V tokens that have an id, B documents of a batch, S positions.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tasks.attention.learning.runs import VAL
from tasks.attention.learning.scores import Layout, evaluated_rows, halves
from tasks.attention.ragged import Ragged
from tasks.attention.texts.stages import Texts, open_texts
from tasks.data.errors import DataError

PAD = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Items(Layout):
    """Documents of one data set, split after split; one is an item."""

    name: str
    vocabulary: int
    """V."""
    tokens: Ragged
    """int32, a row a document."""
    labels: np.ndarray
    """int64 [N]: 0 or 1."""

    def of_tokens(self, beta_V: np.ndarray) -> np.ndarray:
        """A number a token id at every position, oriented towards the label of its document [sum of lengths]."""
        return beta_V[self.tokens.values] * np.repeat(2 * self.labels - 1, self.lengths)


def items_of(texts: Texts, splits: Sequence[str]) -> Items:
    """The items of a data set."""
    parts, labels, half, counts = [], [], [], {}
    for split in splits:
        documents = texts.test if split == VAL else texts.train
        chosen = evaluated_rows(split, len(texts.test), len(texts.train))
        parts += [documents.tokens[int(row)] for row in chosen]
        labels.append(np.asarray(documents.labels)[chosen].astype(np.int64))
        half.append(halves(len(chosen), split))
        counts[split] = len(chosen)
    tokens = Ragged.of(parts, np.int32)
    return Items(
        name=texts.name,
        vocabulary=len(texts.vocabulary),
        items=counts,
        lengths=tokens.lengths,
        tokens=tokens,
        labels=np.concatenate(labels),
        half=np.concatenate(half),
    )


@functools.lru_cache(maxsize=2)
def opened(directory: Path, splits: Sequence[str]) -> Items:
    """The items of a data job, kept open in a process that evaluates one checkpoint after another."""
    return items_of(open_texts(directory), splits)


def on_device(tokens: Ragged, rows: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Some documents as tokens [B, S] on the device and lengths [B] on the CPU, where packing needs them."""
    padded, lengths = tokens.padded(rows, PAD)
    return torch.from_numpy(padded).to(device).long(), torch.from_numpy(lengths)


def check_memory(tokens: Ragged, what: str, needed: int, usable: int) -> None:
    """Refuse documents that do not fit into memory.

    Args:
        what: which documents, "the training documents of SMS".
        needed: bytes that the largest pass takes, which the longest document decides.
        usable: bytes that there are.

    Raises:
        DataError: with the document, its length and what to do.
    """
    if needed > usable:
        longest = int(np.argmax(tokens.lengths))
        raise DataError(
            f"{what}: document {longest} has {int(tokens.lengths[longest]):,} tokens, and a pass over it takes "
            f"{needed / 2**20:,.0f} MiB of the {usable / 2**20:,.0f} MiB that this job may use; cut documents with "
            "--max-length, or give more memory"
        )
