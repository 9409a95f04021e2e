"""The options of `attention_translation` and its presets; `paper` is the published setting (README 2)."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, MinLen

from orchestrator.limits import AboveZero, Distinct, Limited, NotNegative, Positive, Probability, Several, require
from orchestrator.options import Ints
from tasks.attention.learning.runs import LearningOptions, PerformanceOption
from tasks.attention.pairs.plan import PairOptions


@dataclass(frozen=True, kw_only=True)
class TranslatorOptions(Limited):
    """The translator's sizes and how it is trained."""

    hidden: Positive = 256
    """Width of embeddings, decoder and each direction of the encoder."""
    layers: Positive = 2
    """Number of LSTM layers of the encoder, and of the decoder."""
    dropout: Probability = 0.5
    """Dropout between LSTM layers."""
    batch_size: Positive = 16
    """Batch size in sentence pairs; the last batch of an epoch may be smaller."""
    learning_rate: AboveZero = 1e-3
    """Constant learning rate of Adam."""


@dataclass(frozen=True, kw_only=True)
class BeamSearch(Limited):
    """The translations that BLEU judges; without beams there is no BLEU."""

    beams: NotNegative = 5
    """Beam size of the search for the translations that BLEU judges."""
    max_length: Annotated[int, Ge(2)] = 100
    """Maximum length of a translation in tokens, bos included."""


@dataclass(frozen=True, kw_only=True)
class ProxyLoss(Limited):
    """What the bag-of-words proxy is trained on."""

    legacy_proxy_loss: bool = False
    """Train the proxy as published, on bos and padding of the targets too."""


@dataclass(frozen=True, kw_only=True)
class Config(ProxyLoss, BeamSearch, PerformanceOption, LearningOptions, TranslatorOptions, PairOptions):
    """Train translators with one attention head, normal and with attention frozen to uniform, and see which words the
    attention of each checkpoint agrees with."""

    datasets: Several[str] = (
        "multi30k",
        "iwslt14",
        "news_commentary_v14_en_nl",
        "news_commentary_v14_en_pt",
        "news_commentary_v14_it_pt",
    )
    """Published data sets by name, rule_language (builtin), or any name with files in --data-dir."""
    data_dir: str | None = None
    """Directory with the data sets' folders, or one such folder; None: the hub's."""
    languages: str | None = None
    """Endings of source and target files of other data sets, as de-en."""
    epochs: Positive | None = None
    """Training epochs; None: the published number of each data set, 20 for others."""
    iterations: Annotated[Ints, MinLen(1), Distinct(), Ge(0)] | None = None
    """Checkpoints, by training steps; None: the published ones where a data set is trained as published, else those of
    --save-every and --custom-saves."""
    save_every: Positive | None = None
    """Steps between checkpoints, and one at the end; None: 2000."""
    custom_saves: Annotated[Ints, Ge(0)] | None = None
    """Further checkpoints, by training steps; None: those of 0,50,100,500,1000,1500 that a training reaches."""
    proxy_epochs: Positive = 30
    """Training epochs of the bag-of-words proxy; the one with the lowest loss on val is kept."""
    proxy_learning_rate: AboveZero = 1e-3
    """Learning rate of the bag-of-words proxy, on the summed loss of a batch."""

    def __post_init__(self):
        super().__post_init__()
        require(self.beams > 0, "beams", self.beams, "at least 1")
        fine = self.iterations is None or (self.save_every is None and self.custom_saves is None)
        require(fine, "iterations", self.iterations, "these, or --save-every and --custom-saves, not both")


PRESETS = {
    "paper": Config(),
    "quick": Config(
        datasets=("rule_language",),
        vocab_size=1000,
        train_limit=1600,
        val_limit=60,
        hidden=48,
        layers=1,
        dropout=0.0,
        epochs=8,
        iterations=(0, 50, 100, 200, 300, 400, 600, 800),
        performances=("accuracy", "bleu"),
        max_length=40,
        proxy_width=48,
        proxy_epochs=20,
    ),
}
