"""Micro-batches of random ids, for measurements that need no text: no padding, a random cut, random labels of order.

Ids are drawn independently, uniformly or by Zipf's law (the k-th id with a probability proportional to 1/k), each a
word of its own; the cut is uniform over the places that leave both segments a token.

Letters: B sequences, T tokens, V vocabulary.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt

from orchestrator.limits import Limited, Positive
from tasks.deepscale.pretraining_text.batches import MicroBatch
from tasks.deepscale.pretraining_text.plan import MIN_LENGTH
from tasks.deepscale.pretraining_text.samples import SPECIALS, below, numbered, streams, unit
from tasks.deepscale.pretraining_text.sequences import CUTS, TOKENS, Sequences, hide
from tasks.training.seeds import stream_seed

Law = Literal["zipf", "uniform"]

CLS, SEP, MASK = 1, 2, 3  # 0 is left for padding, of which there is none
FIRST = 4


@dataclass(frozen=True, kw_only=True)
class RandomTokens(Limited):
    """A source of random micro-batches."""

    vocab_size: Annotated[int, Gt(FIRST)]
    """V: special tokens are the ids 0 to 3, the others are drawn."""
    length: Annotated[int, Ge(MIN_LENGTH)]
    micro_batch: Positive
    law: Law = "zipf"
    seed: int = 0

    @property
    def probabilities(self) -> np.ndarray:
        """Probability of each id in the text, float64 [V]."""
        weights = np.zeros(self.vocab_size)
        ranks = np.arange(1, self.vocab_size - FIRST + 1)
        weights[FIRST:] = 1 / ranks if self.law == "zipf" else 1.0
        return weights / weights.sum()

    @property
    def same_token(self) -> float:
        """Probability that two tokens of the text are equal."""
        return float((self.probabilities**2).sum())

    def batch(self, index: int) -> MicroBatch:
        """The micro-batch with this number."""
        B, T = self.micro_batch, self.length
        seed = stream_seed(self.seed, "random tokens", self.law)
        stream_B = numbered(seed, np.arange(index * B, (index + 1) * B))
        draws_BT = unit(streams(stream_B, TOKENS, T))
        ids_BT = np.searchsorted(np.cumsum(self.probabilities), draws_BT, side="right").clip(FIRST, self.vocab_size - 1)
        draws_B2 = streams(stream_B, CUTS, 2)
        n_a_B = 1 + below(draws_B2[:, 0], T - SPECIALS - 1)
        at_T = np.arange(T)
        sep_B1 = (n_a_B + 1)[:, None]
        ids_BT = np.where((at_T == sep_B1) | (at_T == T - 1), SEP, ids_BT)
        ids_BT[:, 0] = CLS
        given = Sequences(
            ids=ids_BT,
            types=(at_T > sep_B1).astype(np.int64),
            lengths=np.full(B, T),
            firsts=n_a_B,
            swapped=below(draws_B2[:, 1], 2),
        )
        nothing = np.zeros(self.vocab_size, bool)  # goes on with a word
        hidden = hide(given, np.full(B, T - SPECIALS), stream_B, continues=nothing, mask_id=MASK)
        return MicroBatch.of(given, hidden, index)
