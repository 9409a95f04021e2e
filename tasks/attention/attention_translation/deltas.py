"""Delta of many sentences, in chunks of bounded memory.

Dimensions: B batch, S source positions, T target positions, R cotangents, one a predicted word.
"""

from collections.abc import Iterator

import numpy as np
import torch

from models.attention_translator import PAD, AttentionTranslator
from models.translator_delta import batch_bytes, deltas
from tasks.attention.attention_translation.items import Sentences

BYTES = 1 << 27  # that a chunk's cotangents may hold; a constant, since kernels round differently for other shapes


def sentence_deltas(model: AttentionTranslator, given: Sentences) -> np.ndarray:
    """Delta of all sentences as a flat quantity, float32."""
    device = model.embedding.weight.device
    offsets = given.offsets
    flat = np.empty(offsets[-1], dtype=np.float32)
    for rows, together in delta_chunks(model, given.source.lengths, given.predicted):
        source = torch.from_numpy(given.source.padded(rows, PAD)[0].astype(np.int64)).to(device)
        target = torch.from_numpy(given.target.padded(rows, PAD)[0].astype(np.int64)).to(device)
        delta_BTS = deltas(model, source, target, together).cpu().numpy()
        for number, row in enumerate(rows.tolist()):
            T, S = int(given.predicted[row]), int(given.source.lengths[row])
            flat[offsets[row] : offsets[row + 1]] = delta_BTS[number, :T, :S].ravel()
    return flat


def delta_chunks(
    model: AttentionTranslator, sources: np.ndarray, targets: np.ndarray, limit: int = BYTES
) -> Iterator[tuple[np.ndarray, int]]:
    """(sentences of similar lengths, cotangents that go back together), within `limit` bytes where one fits at all."""
    order = np.lexsort((targets, sources))
    start = 0
    while start < len(order):
        stop, S, T = start, 0, 0
        while stop < len(order):
            wider, longer = max(S, int(sources[order[stop]])), max(T, int(targets[order[stop]]))
            if stop > start and (stop + 1 - start) * batch_bytes(model, wider, longer) > limit:
                break
            stop, S, T = stop + 1, wider, longer
        rows = order[start:stop]
        yield rows, max(1, limit // batch_bytes(model, S, 1))
        start = stop
