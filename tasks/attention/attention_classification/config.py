"""The options of `attention_classification`, and presets; `paper` is the published setting (attention_dynamics 2)."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from orchestrator.options import Ints
from tasks.attention.attention_classification.params import SPLITS, ProxyName, Split
from tasks.attention.learning.grid import checkpoint_steps
from tasks.attention.learning.params import Metric
from tasks.attention.learning.runs import Runs
from tasks.attention.texts.plan import TEST_LIMIT
from tasks.encoders.options import at_least, distinct

SLOW = frozenset({"IMDB", "Yelp", "Amzn"})
"""Data sets whose averaged embeddings learn with the lower published rate."""
STRENGTHS = (1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 50, 100, 500, 1e3, 5e3, 1e4)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Does the attention of a document classifier move to words that the model knows already? Checkpoints of several
    runs, of one with attention frozen to uniform, and of bags of words; how far they agree."""

    datasets: tuple[str, ...] = ("IMDB", "Furd", "AG_News", "Newsgroups", "Yelp", "Amzn", "SMS")
    """The published seven; topics (builtin); or the name of a folder of --data-dir."""
    data_dir: str | None = None
    """Directory with NAME_train.json and NAME_test.json, or NAME/train.csv and NAME/test.csv (also .tsv .json .jsonl);
    None: the hub's."""
    classes: tuple[str, str] | None = None
    """The two labels, as the data write them, of class 0 and class 1; None: 0 and 1, or those of the published set."""
    word_vectors: str | None = None
    """Text file with a word and its vector a line; its words stay in the vocabulary however rare they are."""
    pretrained_embeddings: bool = False
    """Begin from these vectors too, which must be --embedding long; the published code drew random ones."""
    test_limit: int | None = TEST_LIMIT
    """Test documents at most; as many training documents are evaluated too."""
    train_limit: int | None = None
    """Train on so many documents at most."""
    max_length: int | None = None
    """Tokens of a document, begin and end included; None: as published, all."""
    legacy_order: bool = False
    """Test on the first documents of the file, as published, instead of a fixed random part."""
    seeds: Ints = (20, 13, 14, 15, 16, 17)
    """Of the normal runs; the first is the gold run, and all others are compared with it."""
    uniform_seed: int = 12
    """Of the run with attention frozen to uniform."""
    steps: int = 4000
    """Updates of a run."""
    save_every: int = 250
    """Keep a checkpoint whenever so many more updates are done; also before the first and after the last."""
    custom_saves: Ints = (0, 10, 50, 100, 150, 200, 250)
    """Further checkpoints, by the updates they hold."""
    embedding: int = 300
    """Numbers of an embedding."""
    hidden: int = 256
    """Width of each direction of the LSTM."""
    intermediate: int = 256
    """Width inside the attention."""
    batch_size: int = 32
    """Documents of an update; where there are fewer, each update takes all."""
    learning_rate: float = 1e-3
    """Of Adam, constant."""
    seeds_together: int = 1
    """Runs that one job trains at once, normal ones first: faster where a GPU or a core is not filled by one."""
    proxies: tuple[ProxyName, ...] = ("px", "logistic")
    """px: averaged embeddings; logistic: a logistic regression on token frequencies."""
    proxy_epochs: int = 60
    """Of px: passes over the training documents, of which the best counts."""
    proxy_width: int = 256
    """Of px: numbers of an embedding."""
    proxy_batch: int = 64
    """Of px: documents of an update."""
    proxy_learning_rate: float | None = None
    """Of px; None: 5e-5 for IMDB, Yelp and Amzn, else 1.5e-4."""
    proxy_seed: int = 0
    """Of px: first weights and order."""
    logistic_strengths: tuple[float, ...] = STRENGTHS
    """Of logistic: C, of which the best counts."""
    splits: tuple[Split, ...] = SPLITS
    """val: test documents; train: as many training documents."""
    metrics: tuple[Metric, ...] = ("top5", "kendall")
    """top5: is the place with the most of one among the top 5 % of the other? kendall: rank correlation tau-b."""
    dump: Literal["needed", "everything"] = "needed"
    """everything: keep attention, values and Delta of every run and checkpoint, not only what the statistics need."""

    def __post_init__(self):
        for name in ("datasets", "seeds", "splits", "metrics"):
            distinct(self, name)
        if self.proxies:
            distinct(self, "proxies")
        counts = ("embedding", "hidden", "intermediate", "batch_size", "seeds_together", "proxy_epochs", "proxy_width")
        for name in (*counts, "proxy_batch", "test_limit", "train_limit", "max_length"):
            at_least(self, name, 1)
        for name in ("learning_rate", "proxy_learning_rate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name.replace('_', '-')} is {value}: give more than 0")
        if bad := [strength for strength in self.logistic_strengths if strength <= 0]:
            raise ValueError(f"logistic-strengths has {bad[0]}: give more than 0")
        if "logistic" in self.proxies and not self.logistic_strengths:
            raise ValueError("logistic-strengths is empty: give at least one, or leave logistic out of --proxies")
        if self.pretrained_embeddings and self.word_vectors is None:
            raise ValueError("pretrained-embeddings needs a file of them: give --word-vectors FILE")
        self.runs  # noqa: B018  (refuses fewer than two seeds)
        self.saves  # noqa: B018  (refuses a checkpoint that is never reached)

    @property
    def runs(self) -> Runs:
        return Runs(seeds=self.seeds, uniform_seed=self.uniform_seed)

    @property
    def saves(self) -> tuple[int, ...]:
        """Checkpoints, as updates that they hold."""
        return checkpoint_steps(self.steps, self.save_every, self.custom_saves)

    def proxy_rate(self, dataset: str) -> float:
        """The learning rate of px."""
        if self.proxy_learning_rate is not None:
            return self.proxy_learning_rate
        return 5e-5 if dataset in SLOW else 1.5e-4


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
