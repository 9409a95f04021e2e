"""The order in which a run reads its documents (attention_dynamics 2.4), and documents as padded tensors.

N documents, B documents a step, S positions.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from tasks.attention.ragged import Ragged
from tasks.data.errors import DataError
from tasks.training.seeds import numpy_stream

PAD = 0


def batch_rows(seed: int, documents: int, batch_size: int, first: int = 0) -> Iterator[np.ndarray]:
    """The documents [B] of step `first` and of all later ones; each depends on the seed and its step alone.

    The list of documents is reshuffled at every step divisible by floor(N / batch), and step t takes the places
    t batch … (t + 1) batch - 1, modulo N, of the current list: where batch does not divide N the window begins at a
    rotating place, and leaves out N mod batch documents, others in each epoch. With fewer documents than a batch
    every step takes all of them in a new order; the published code stopped there (quirk C7).
    """
    size, period = min(batch_size, documents), max(1, documents // batch_size)
    places = np.arange(size)
    order_N, shuffled = np.empty(0, dtype=np.int64), -1
    for step in itertools.count(first):
        if step // period != shuffled:
            shuffled = step // period
            order_N = numpy_stream(seed, "attention_classification", "order", shuffled).permutation(documents)
        yield order_N[(step * size + places) % documents]


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
