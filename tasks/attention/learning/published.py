"""Published numbers to stand beside ours (attention_dynamics 6): top-5 % match of early runs, no thresholds.

They were printed in notebooks that the authors later deleted, and may precede their final code; the sign of Delta
behind agr_grad cannot be told any more (quirk C2). They are not the tables of the paper.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Task = Literal["classification", "translation"]


@dataclass(frozen=True, kw_only=True)
class Published:
    """What was printed for one data set, split and performance; a key that is not there was not printed."""

    task: Task
    dataset: str
    split: str = "val"
    performance: str = "accuracy"
    numbers: Mapping[str, float | None]
    """By key of the dictionary of statistics; None is a xi that was never reached."""


PUBLISHED = (
    Published(
        task="classification",
        dataset="IMDB",
        numbers={
            "agr_unif": 0.5255,
            "agr_px": 0.816,
            "agr_grad": 0.6155,
            "baseline": 0.056,
            "xi_unif": 0.8681,
            "xi_px": 0.8889,
            "xi_grad": 0.8681,
            "best_perf": 0.8955,
        },
    ),
    Published(
        task="classification",
        dataset="IMDB",
        split="train",
        numbers={
            "agr_unif": 0.515,
            "agr_px": 0.801,
            "agr_grad": 0.4285,
            "xi_unif": 0.904,
            "xi_px": None,
            "best_perf": 0.9995,
        },
    ),
    Published(
        task="classification",
        dataset="Amzn",
        numbers={
            "agr_unif": 0.52,
            "agr_px": 0.768,
            "baseline": 0.059,
            "xi_unif": 0.825,
            "xi_px": None,
            "best_perf": 0.904,
        },
    ),
    Published(
        task="classification",
        dataset="Furd",
        numbers={
            "agr_unif": 0.198,
            "agr_px": 0.336,
            "agr_grad": 0.224,
            "baseline": 0.083,
            "xi_unif": 0.782,
            "xi_px": None,
            "xi_grad": 0.782,
            "best_perf": 0.835,
        },
    ),
    Published(
        task="translation",
        dataset="multi30k",
        numbers={
            "agr_unif": 0.310,
            "agr_px": 0.344,
            "agr_grad": 0.271,
            "baseline": 0.071,
            "xi_unif": 43.45,
            "xi_px": 43.45,
            "xi_grad": 43.45,
            "best_perf": 66.29,
        },
    ),
    Published(
        task="translation",
        dataset="multi30k",
        performance="bleu",
        numbers={
            "agr_unif": 0.308,
            "agr_px": 0.344,
            "agr_grad": 0.272,
            "baseline": 0.0715,
            "xi_unif": 11.43,
            "xi_px": 11.43,
            "xi_grad": 11.43,
            "best_perf": 37.89,
        },
    ),
)
"""Those whose argument that gives the argmax is the same as in the statistics."""

ALIASES = {"amazon": "amzn", "amazonpolarity": "amzn", "stanford": "furd"}


def published(task: Task, dataset: str, split: str, performance: str) -> Published | None:
    """What was printed for a data set, under whatever form of its name."""
    wanted = _plain(dataset)
    for one in PUBLISHED:
        if (one.task, one.split, one.performance) == (task, split, performance) and _plain(one.dataset) == wanted:
            return one
    return None


def others(task: Task, dataset: str, split: str, performance: str) -> list[Published]:
    """What was printed for the other data sets of the task."""
    mine = published(task, dataset, split, performance)
    return [
        one
        for one in PUBLISHED
        if one is not mine and (one.task, one.split, one.performance) == (task, split, performance)
    ]


def _plain(name: str) -> str:
    short = re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower())
    return ALIASES.get(short, short)
