"""Documents without a corpus, and a vocabulary whose last fifth goes on with words."""

import numpy as np

from tasks.deepscale.pretraining_text.batches import Batches
from tasks.deepscale.pretraining_text.documents import Documents
from tasks.training.seeds import numpy_stream

V, CONTINUES = 1000, 800
META = {"corpus": "made", "tokenizer": "made", "vocab_size": V, "pad_token_id": 0} | {
    f"{role}_token_id": i for i, role in enumerate(("cls", "sep", "mask"), start=1)
}


def made(lengths: list[list[int]], ids: np.ndarray | None = None) -> Documents:
    """Documents of sentences of these lengths; their tokens are `ids`, else each its own number from 4 on."""
    sizes = np.array([n for document in lengths for n in document])
    tokens = np.arange(4, 4 + sizes.sum()) if ids is None else ids
    return Documents(
        tokens=tokens.astype(np.int32),
        sentences=np.cumsum([0, *sizes]),
        documents=np.cumsum([0, *(len(document) for document in lengths)]),
        continues=np.arange(max(V, int(tokens.max()) + 1)) >= CONTINUES,
        counts=np.bincount(tokens),
        meta=META,
    )


def random_documents(count: int, seed: int = 0) -> Documents:
    """Documents of 2 to 40 sentences of 1 to 60 tokens, whose ids are uniform."""
    rng = numpy_stream(seed, "made")
    lengths = [rng.integers(1, 61, rng.integers(2, 41)).tolist() for _ in range(count)]
    return made(lengths, rng.integers(4, V, sum(map(sum, lengths))))


def padding_share(batches: Batches) -> float:
    """Share of the positions that are padding, over the first window."""
    made = [batch for step in range(batches.window) for batch in batches.micro_batches(step)]
    return 1 - sum(batch.n_tokens for batch in made) / sum(batch.input_ids.numel() for batch in made)
