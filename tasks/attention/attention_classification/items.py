"""The documents whose attention is compared: test documents in order, then a sample of the training documents.

N items, V tokens that have an id.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.attention.learning.scores import TRAIN, VAL, halves
from tasks.attention.ragged import Ragged
from tasks.attention.texts.artifact import Texts


@dataclass(frozen=True, kw_only=True, eq=False)
class Items:
    """Documents of one data set, split after split."""

    name: str
    vocabulary: int
    """V."""
    counts: Mapping[str, int]
    """Documents of each split, in order."""
    tokens: Ragged
    """int32, a row a document."""
    labels: np.ndarray
    """int64 [N]: 0 or 1."""
    half: np.ndarray
    """uint8 [N]: the fixed half of its split that a document is in."""

    @property
    def lengths(self) -> np.ndarray:
        return self.tokens.lengths

    def of_tokens(self, beta_V: np.ndarray) -> np.ndarray:
        """A number a token id at every position, oriented towards the label of its document [sum of lengths]."""
        return beta_V[self.tokens.values] * np.repeat(2 * self.labels - 1, self.lengths)


def train_sample(n_train: int, n_test: int) -> list[int]:
    """The training documents that are evaluated, as published (attention_dynamics 2.5).

    As many as there are test documents; all where there are fewer, at which the published code stopped (quirk C7).
    """
    return random.Random(1).sample(range(n_train), min(n_test, n_train))


def items_of(texts: Texts, splits: Sequence[str]) -> Items:
    """The items of a data set."""
    parts, labels, half, counts = [], [], [], {}
    for split in splits:
        documents = texts.test if split == VAL else texts.train
        chosen = np.arange(len(documents))
        if split == TRAIN:
            chosen = np.array(train_sample(len(documents), len(texts.test)), dtype=np.int64)
        parts += [documents.tokens[int(row)] for row in chosen]
        labels.append(np.asarray(documents.labels)[chosen].astype(np.int64))
        half.append(halves(len(chosen), split))
        counts[split] = len(chosen)
    return Items(
        name=texts.name,
        vocabulary=len(texts.vocabulary),
        counts=counts,
        tokens=Ragged.of(parts, np.int32),
        labels=np.concatenate(labels),
        half=np.concatenate(half),
    )
