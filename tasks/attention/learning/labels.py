"""What tells the two experiments apart in tables, figures and sentences, and the numbers that were published.

The published numbers are top-5 % matches of early runs and no thresholds. They were printed in notebooks that the
authors later deleted, and may precede their final code; the sign of Delta behind agr_grad cannot be told any more. They
are not the tables of the paper.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tasks.attention.learning.runs import Runs

Task = Literal["classification", "translation"]

METRICS = {"top5": "top-5 % match", "kendall": "Kendall's tau"}
SPLITS = {"val": "evaluation split", "train": "sample of the training split"}


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What `reduce.summarise` says about one experiment."""

    task: Task
    """Whose published numbers stand beside ours."""
    item: str
    """What an item is, singular: document, target position."""
    performance: dict[str, str]
    """Axis label of each performance that chooses checkpoints: {"accuracy": "accuracy (fraction)"}."""
    unit: dict[str, str]
    """Unit of a performance behind a number: {"accuracy": ""} for a fraction, {"accuracy": " %", "bleu": " BLEU"}."""
    datasets: tuple[str, ...]
    """All that were planned."""
    runs: Runs
    """Planned for each data set."""
    steps: dict[str, tuple[int, ...]]
    """The planned grid of checkpoints, by data set."""


@dataclass(frozen=True)
class Published:
    """What was printed for one data set, split and performance; a key that is not there was not printed."""

    task: Task
    dataset: str
    split: str
    performance: str
    numbers: Mapping[str, float | None]
    """By key of the dictionary of statistics; None is a xi that was never reached."""


def _numbers(agr: tuple[float, ...], xi: tuple[float | None, ...], **others: float) -> dict[str, float | None]:
    """Numbers of unif, px and, where there is a third, grad; and others by their key."""
    names = ("unif", "px", "grad")
    agreements = {f"agr_{name}": value for name, value in zip(names, agr, strict=False)}
    return {**agreements, **{f"xi_{name}": value for name, value in zip(names, xi, strict=False)}, **others}


_IMDB = _numbers((0.5255, 0.816, 0.6155), (0.8681, 0.8889, 0.8681), baseline=0.056, best_perf=0.8955)
_IMDB_TRAIN = _numbers((0.515, 0.801, 0.4285), (0.904, None), best_perf=0.9995)
_AMZN = _numbers((0.52, 0.768), (0.825, None), baseline=0.059, best_perf=0.904)
_FURD = _numbers((0.198, 0.336, 0.224), (0.782, None, 0.782), baseline=0.083, best_perf=0.835)
_MULTI30K = _numbers((0.310, 0.344, 0.271), (43.45, 43.45, 43.45), baseline=0.071, best_perf=66.29)
_MULTI30K_BLEU = _numbers((0.308, 0.344, 0.272), (11.43, 11.43, 11.43), baseline=0.0715, best_perf=37.89)

PUBLISHED = (
    Published("classification", "IMDB", "val", "accuracy", _IMDB),
    Published("classification", "IMDB", "train", "accuracy", _IMDB_TRAIN),
    Published("classification", "Amzn", "val", "accuracy", _AMZN),
    Published("classification", "Furd", "val", "accuracy", _FURD),
    Published("translation", "multi30k", "val", "accuracy", _MULTI30K),
    Published("translation", "multi30k", "val", "bleu", _MULTI30K_BLEU),
)
"""Those whose argument that gives the argmax is the same as in the statistics."""

ALIASES = {"amazon": "amzn", "amazonpolarity": "amzn", "stanford": "furd"}


def published(task: Task, dataset: str, split: str, performance: str) -> Published | None:
    """What was printed for a data set, under whatever form of its name."""
    return next((one for one in _printed(task, split, performance) if _plain(one.dataset) == _plain(dataset)), None)


def others(task: Task, dataset: str, split: str, performance: str) -> list[Published]:
    """What was printed for the other data sets of the task."""
    return [one for one in _printed(task, split, performance) if _plain(one.dataset) != _plain(dataset)]


def _printed(task: Task, split: str, performance: str) -> list[Published]:
    return [one for one in PUBLISHED if (one.task, one.split, one.performance) == (task, split, performance)]


def _plain(name: str) -> str:
    short = re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())
    return ALIASES.get(short, short)
