"""n-gram masking for masked language modelling as published for ALBERT: which tokens are hidden, and by what.

After the published code of Inoue et al., Transient Chaos in BERT (2022), which `LegacyMasker` repeats draw by draw.

A sequence of `length` real tokens has a budget of floor(ratio * length) tokens. Until it is spent: an n-gram of 1, 2 or
3 tokens (with probability 6/11, 3/11, 2/11, cut to what is left of the budget) at a start that is uniform on
0 … length - n - 1 is hidden, unless it touches a special token. n-grams may overlap, and what they share counts twice
toward the budget, so that fewer tokens than the budget are hidden: 17.76 of 19 on average at 128 tokens and 15 %. Of
the hidden tokens 80 % become the mask token, 10 % an id drawn from the whole vocabulary, 10 % stay as they are.

Dimensions: B sequences, T tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from tasks.training.seeds import numpy_stream

NGRAMS = np.array([1, 2, 3])
NGRAM_P = np.array([6, 3, 2]) / 11
MASKED_P, RANDOM_P = 0.8, 0.1
NOT_PREDICTED = -100  # the label of a token that is not hidden, as everywhere at Hugging Face
TRIES = 20  # candidate n-grams a token of the budget, at most; a few short inputs end with fewer tokens hidden


@dataclass(frozen=True, kw_only=True)
class Masking:
    """How sequences are masked.

    Raises:
        ValueError: a ratio that is no share, or a mask token outside the vocabulary.
    """

    vocab_size: int
    mask_id: int
    special_ids: tuple[int, ...]
    """Ids that are never hidden; `pad_id` is among them."""
    pad_id: int
    ratio: float = 0.15

    def __post_init__(self):
        if not 0 < self.ratio < 1:
            raise ValueError(f"the masking ratio is {self.ratio}; give more than 0 and less than 1")
        if not 0 <= self.mask_id < self.vocab_size:
            raise ValueError(f"the mask token {self.mask_id} is not among the {self.vocab_size} ids of the vocabulary")

    def budgets(self, ids_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Real tokens and budget of each sequence, [B] each."""
        length_B = (ids_BT != self.pad_id).sum(axis=1)
        return length_B, (self.ratio * length_B).astype(np.int64)


def block_masking(meta: Mapping[str, Any], ratio: float) -> Masking:
    """How the blocks of `tasks.data.blocks` with this meta.json are masked."""
    return Masking(
        vocab_size=meta["vocab_size"],
        mask_id=meta["mask_token_id"],
        special_ids=tuple(meta["special_ids"]),
        pad_id=meta["pad_token_id"],
        ratio=ratio,
    )


def mask_batch(ids_BT: np.ndarray, masking: Masking, seed: int, *names: str | int) -> tuple[np.ndarray, np.ndarray]:
    """What the model reads, and what it has to say: (input [B, T], labels [B, T]), both int64.

    Drawn from the stream called `names` (part, epoch, batch) of the run `seed` alone: all encoders, depths and readouts
    see the same masks. All sequences go on together, one candidate n-gram at a time, so 32 of them cost as many NumPy
    calls as one. Padding stands at the end of a sequence.
    """
    rng = numpy_stream(seed, "masking", *names)
    B, T = ids_BT.shape
    length_B, left_B = masking.budgets(ids_BT)
    special_BT = np.isin(ids_BT, (*masking.special_ids, masking.pad_id))
    # Beyond the end everything counts as special, so that a window of three may be looked at wherever it begins.
    closed_BT = np.pad(special_BT, ((0, 0), (0, len(NGRAMS))), constant_values=True)
    left_B = np.where(special_BT.all(axis=1), 0, left_B)
    tries = TRIES * int(left_B.max(initial=0))
    hidden_BT = np.zeros((B, T + len(NGRAMS)), dtype=bool)
    row_B = np.arange(B)
    for _ in range(tries):
        if not left_B.any():
            break
        drawn_B = 1 + np.searchsorted(np.cumsum(NGRAM_P)[:-1], rng.random(B), side="right")
        n_B = np.minimum(drawn_B, left_B)
        start_B = (rng.random(B) * np.maximum(1, length_B - n_B)).astype(np.int64)
        touches_B = n_B == 0
        for offset in range(len(NGRAMS)):
            touches_B = touches_B | ((offset < n_B) & closed_BT[row_B, start_B + offset])
        n_B = np.where(touches_B, 0, n_B)
        for offset in range(len(NGRAMS)):
            rows = row_B[offset < n_B]
            hidden_BT[rows, start_B[rows] + offset] = True
        left_B = left_B - n_B
    hidden_BT = hidden_BT[:, :T]
    fate_BT, words_BT = rng.random((B, T)), rng.integers(masking.vocab_size, size=(B, T))
    return _replaced(
        ids_BT,
        hidden_BT,
        to_mask=fate_BT < MASKED_P,
        to_word=(fate_BT >= MASKED_P) & (fate_BT < MASKED_P + RANDOM_P),
        words=words_BT,
        mask_id=masking.mask_id,
    )


@dataclass(kw_only=True)
class LegacyMasker:
    """The published masker, draw by draw: one NumPy and one torch stream that run on through all batches.

    Its tries are not bounded, as published; here an input in which nothing can be hidden is refused instead of tried
    for ever.
    """

    masking: Masking
    seed: int
    _numpy: np.random.RandomState = field(init=False)
    _torch: torch.Generator = field(init=False)

    def __post_init__(self):
        self._numpy = np.random.RandomState(self.seed)  # the published stream
        self._torch = torch.Generator().manual_seed(self.seed)

    def __call__(self, ids_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(input [B, T], labels [B, T]) of the next batch.

        Raises:
            ValueError: a sequence in which nothing can be hidden, with its number in the batch.
        """
        length_B, budget_B = self.masking.budgets(ids_BT)
        special_BT = np.isin(ids_BT, (*self.masking.special_ids, self.masking.pad_id))
        hidden_BT = np.zeros(ids_BT.shape, dtype=bool)
        for b, (length, budget) in enumerate(zip(length_B, budget_B, strict=True)):
            if budget and special_BT[b, : length - 1].all():  # no start reaches the last token
                raise ValueError(f"sequence {b} of the batch holds special tokens only; give text, or no legacy masks")
            while budget > 0:
                n = min(int(self._numpy.choice(NGRAMS, p=NGRAM_P)), budget)
                start = int(self._numpy.randint(length - n))
                if not special_BT[b, start : start + n].any():
                    hidden_BT[b, start : start + n] = True
                    budget -= n
        shape = torch.Size(ids_BT.shape)
        to_mask = torch.bernoulli(torch.full(shape, 0.8), generator=self._torch).bool().numpy()
        to_word = torch.bernoulli(torch.full(shape, 0.5), generator=self._torch).bool().numpy() & ~to_mask
        words = torch.randint(self.masking.vocab_size, shape, generator=self._torch).numpy()
        return _replaced(ids_BT, hidden_BT, to_mask, to_word, words, self.masking.mask_id)


def _replaced(
    ids_BT: np.ndarray,
    hidden_BT: np.ndarray,
    to_mask: np.ndarray,
    to_word: np.ndarray,
    words: np.ndarray,
    mask_id: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Input and labels, given for every position whether it is hidden and what it would become."""
    ids_BT = ids_BT.astype(np.int64)
    changed = np.where(to_mask, mask_id, np.where(to_word, words, ids_BT))
    return np.where(hidden_BT, changed, ids_BT), np.where(hidden_BT, ids_BT, NOT_PREDICTED)
