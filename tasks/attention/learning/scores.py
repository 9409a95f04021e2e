"""The scores of one checkpoint: a number for each source position of each item, and how well the model does.

An *item* is a document (classification) or one predicted position of a sentence (translation, sentence after sentence).
Items of the evaluation split (`val`) come first, then those of the sample of the training split (`train`). Every
artifact of scores in a sweep lists the same items in the same order, so that any two can be compared.

    scores.json            items a split, quantities, performance
    lengths.npy            int32 [N]: source positions of each item
    half.npy               uint8 [N]: 0 or 1, the fixed random half that an item's document or sentence fell into
    <quantity>.npy         float32 [sum of lengths]: alpha, beta, delta-250, …

*part* names what a performance is of: `all`, or `a` and `b`, the two halves, so that a checkpoint can be chosen on one
and judged on the other.
"""

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.attention.learning.runs import VAL
from tasks.attention.ragged import Ragged, open_array
from tasks.data.errors import DataError
from tasks.training.seeds import numpy_stream

PARTS = ("all", "a", "b")
PROXY_PARTS = {"beta": "all", "beta-heldout": "a"}
"""By quantity of a proxy: the part of the evaluation split that chose its epoch or strength."""
SCORES = "scores.json"
SAMPLE_SEED = 1  # published

Performance = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By split, then part, then name (accuracy, perplexity, bleu)."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which items there are, and in what order."""

    items: Mapping[str, int]
    """How many items each split has, in order."""
    lengths: np.ndarray
    """[N] source positions of each item."""
    half: np.ndarray
    """[N] 0 or 1."""

    def rows(self, split: str, part: str = "all") -> np.ndarray:
        """Numbers of the items of a split, or of one half of it."""
        start = 0
        for name, count in self.items.items():
            if name == split:
                rows = np.arange(start, start + count)
                return rows[part_masks(self.half[rows])[part]]
            start += count
        raise DataError(f"no items of the split {split!r}, only of {', '.join(self.items)}")

    def scores(self, values: Mapping[str, np.ndarray], performance: Performance) -> "Scores":
        """Quantities of all items, and performance, in the form in which they are kept."""
        return Scores(items=self.items, lengths=self.lengths, half=self.half, values=values, performance=performance)


@dataclass(frozen=True, kw_only=True)
class Scores(Layout):
    """What an artifact of scores holds; arrays in memory only where they are touched."""

    values: Mapping[str, np.ndarray]
    """Flat numbers [sum of lengths] by quantity."""
    performance: Performance

    def quantity(self, name: str) -> Ragged:
        """One quantity, a row an item.

        Raises:
            DataError: these scores do not have it.
        """
        if name not in self.values:
            raise DataError(f"no {name} among the scores, only {', '.join(sorted(self.values)) or 'none'}")
        return Ragged(self.values[name], np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)]))


def write_scores(directory: Path, scores: Scores) -> None:
    """Write an artifact of scores.

    Raises:
        ValueError: a quantity has not one number a source position, or the items do not add up.
    """
    total = int(scores.lengths.sum())
    if sum(scores.items.values()) != len(scores.lengths) or len(scores.half) != len(scores.lengths):
        raise ValueError(f"{dict(scores.items)} items, but {len(scores.lengths)} lengths and {len(scores.half)} halves")
    for name, values in scores.values.items():
        if values.shape != (total,):
            raise ValueError(f"{name} has the shape {values.shape}; the items have {total} source positions together")
        np.save(directory / f"{name}.npy", np.asarray(values, dtype=np.float32), allow_pickle=False)
    np.save(directory / "lengths.npy", np.asarray(scores.lengths, dtype=np.int32), allow_pickle=False)
    np.save(directory / "half.npy", np.asarray(scores.half, dtype=np.uint8), allow_pickle=False)
    told = {"items": dict(scores.items), "quantities": sorted(scores.values), "performance": scores.performance}
    (directory / SCORES).write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def read_scores(directory: Path) -> Scores:
    """What `write_scores` wrote.

    Raises:
        DataError: the directory holds no scores, or a file is missing.
    """
    path = directory / SCORES
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected the scores of a checkpoint, run its job again")
    told = json.loads(path.read_text("utf-8"))
    return Scores(
        items=told["items"],
        lengths=open_array(directory / "lengths.npy"),
        half=open_array(directory / "half.npy"),
        values={name: open_array(directory / f"{name}.npy") for name in told["quantities"]},
        performance=told["performance"],
    )


def performance_rows(performance: Performance) -> list[dict[str, Any]]:
    """Rows of the table `performance`, one a number."""
    return [
        {"split": split, "part": part, "metric": metric, "value": value}
        for split, parts in performance.items()
        for part, numbers in parts.items()
        for metric, value in numbers.items()
    ]


def halves(documents: int, split: str) -> np.ndarray:
    """Which half each document or sentence of a split falls into, uint8 [documents]; halves differ by one at most."""
    half = np.zeros(documents, dtype=np.uint8)
    half[numpy_stream(0, "attention", "half", split).permutation(documents)[: documents // 2]] = 1
    return half


def part_masks(half: np.ndarray) -> dict[str, np.ndarray]:
    """Which items each of `PARTS` has, bool [items], from the half of each."""
    return dict(zip(PARTS, (np.ones(len(half), dtype=bool), half == 0, half == 1), strict=True))


def mean_of(values: np.ndarray) -> float:
    """Their mean; NaN of none."""
    return float(np.mean(values)) if len(values) else float("nan")


def evaluated_rows(split: str, n_evaluated: int, n_train: int) -> np.ndarray:
    """The documents or sentences of a split that are evaluated: all, of the training split a sample."""
    return np.arange(n_evaluated) if split == VAL else train_sample(n_train, n_evaluated)


def train_sample(n_train: int, n_evaluated: int) -> np.ndarray:
    """The documents or sentences of the training split that are evaluated, int64, as published.

    As many as the evaluation split has; all where there are fewer, at which the published code stopped.
    """
    drawn = random.Random(SAMPLE_SEED).sample(range(n_train), min(n_evaluated, n_train))
    return np.array(drawn, dtype=np.int64)
