"""The options of `attention_classification`, and presets; `paper` is the published setting (README 1)."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, MinLen

from orchestrator.limits import AboveZero, Distinct, Limited, Positive, Several, require
from orchestrator.options import Ints
from tasks.attention.learning.runs import LearningOptions, ProxyOption, checkpoint_steps
from tasks.attention.texts.plan import TextOptions

SLOW = frozenset({"IMDB", "Yelp", "Amzn"})
"""Data sets whose averaged embeddings learn with the lower published rate."""
STRENGTHS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 50, 100, 500, 1e3, 5e3, 1e4)


@dataclass(frozen=True, kw_only=True)
class ClassifierOptions(Limited):
    """The classifier's sizes and how it is trained."""

    embedding: Positive = 300
    """Size of the word embeddings."""
    hidden: Positive = 256
    """Width of each direction of the LSTM."""
    intermediate: Positive = 256
    """Hidden size of the attention MLP."""
    pretrained_embeddings: bool = False
    """Initialise embeddings from --word-vectors, which must be --embedding long; the published ones are random."""
    batch_size: Positive = 32
    """Batch size; with fewer documents, each step takes all of them."""
    learning_rate: AboveZero = 1e-3
    """Constant learning rate of Adam."""


@dataclass(frozen=True, kw_only=True)
class Config(ProxyOption, LearningOptions, ClassifierOptions, TextOptions):
    """Does the attention of a document classifier move to words that the model knows already? Checkpoints of several
    runs, of one with attention frozen to uniform, and of bags of words; how far they agree."""

    datasets: Several[str] = ("IMDB", "Furd", "AG_News", "Newsgroups", "Yelp", "Amzn", "SMS")
    """The published seven; topics (builtin); or the name of a folder of --data-dir."""
    data_dir: str | None = None
    """Directory with NAME_train.json and NAME_test.json, or NAME/train.csv and NAME/test.csv (also .tsv .json .jsonl);
    None: the hub's."""
    classes: tuple[str, str] | None = None
    """Labels of class 0 and class 1 as the data write them; None: 0 and 1, or those of the published set."""
    word_vectors: str | None = None
    """Text file with a word and its vector a line; its words stay in the vocabulary however rare they are."""
    seeds: Annotated[Ints, MinLen(2), Distinct()] = (20, 13, 14, 15, 16, 17)
    """Random seeds of the normal runs; the first is the gold run, with which all others are compared."""
    steps: Positive = 4000
    """Training steps of a run."""
    save_every: Positive = 250
    """Steps between checkpoints; there are also ones before the first step and after the last."""
    custom_saves: Annotated[Ints, Ge(0)] = (0, 10, 50, 100, 150, 200, 250)
    """Further checkpoints, by training steps."""
    proxy_epochs: Positive = 60
    """Training epochs of px, of which the best counts."""
    proxy_learning_rate: AboveZero | None = None
    """Learning rate of px; None: 5e-5 for IMDB, Yelp and Amzn, else 1.5e-4."""
    logistic_strengths: Annotated[tuple[float, ...], Gt(0)] = STRENGTHS
    """Inverse regularisation strengths C of logistic, of which the best counts."""

    def __post_init__(self):
        super().__post_init__()
        fine = bool(self.logistic_strengths) or "logistic" not in self.proxies
        require(fine, "logistic_strengths", (), "at least one, or leave logistic out of --proxies")
        fine = self.word_vectors is not None or not self.pretrained_embeddings
        require(fine, "pretrained_embeddings", True, "--word-vectors FILE with it")
        self.saves  # noqa: B018  (refuses a checkpoint that is never reached)

    @property
    def saves(self) -> tuple[int, ...]:
        """Checkpoints, as training steps."""
        return checkpoint_steps(self.steps, self.save_every, self.custom_saves)

    def proxy_rate(self, dataset: str) -> float:
        """The learning rate of px."""
        return self.proxy_learning_rate or (5e-5 if dataset in SLOW else 1.5e-4)


PAPER = Config()
PRESETS = {
    "paper": PAPER,
    "legacy": dataclasses.replace(PAPER, legacy_order=True),
    "quick": Config(
        datasets=("topics",),
        seeds=(20, 13, 14, 15),
        steps=200,
        save_every=50,
        custom_saves=(0, 10, 25),
        test_limit=200,
        embedding=32,
        hidden=24,
        intermediate=24,
        learning_rate=3e-3,
        seeds_together=5,
        proxy_epochs=30,
        proxy_width=32,
        proxy_learning_rate=3e-3,
        logistic_strengths=(1e-2, 1, 1e2, 1e4),
    ),
}
