"""The options of `attention_translation` and its presets; `paper` is the published setting (attention_dynamics 3)."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.options import Ints
from tasks.attention.attention_translation.params import Split, check_splits
from tasks.attention.learning.params import Metric
from tasks.attention.learning.runs import Runs
from tasks.attention.learning.scores import TRAIN, VAL
from tasks.attention.pairs.plan import VOCAB_SIZE

Performance = Literal["accuracy", "bleu"]
Dump = Literal["needed", "everything"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Train translators with one attention head, normal and with attention frozen to uniform, and see which words the
    attention of each checkpoint agrees with."""

    datasets: tuple[str, ...] = (
        "multi30k",
        "iwslt14",
        "news_commentary_v14_en_nl",
        "news_commentary_v14_en_pt",
        "news_commentary_v14_it_pt",
    )
    """Published ones by name, rule_language (builtin), or any name with files in --data-dir."""
    data_dir: str | None = None
    """Directory with the data sets' folders, or one such folder; None: the hub's."""
    languages: str | None = None
    """Endings of source and target files of other data sets, as de-en."""
    vocab_size: int = VOCAB_SIZE
    """Subwords of the one vocabulary of both languages."""
    train_limit: int | None = None
    """Train on so many pairs at most."""
    val_limit: int | None = None
    """Evaluate on so many pairs of a split at most."""
    legacy_empty_lines: bool = False
    """Keep pairs with an empty side, and the one behind the last line break, as published for iwslt14 (quirk T6)."""
    hidden: int = 256
    """Width of embedding, decoder and each direction of the encoder."""
    layers: int = 2
    """LSTM layers of encoder and of decoder."""
    dropout: float = 0.5
    """Between LSTM layers."""
    batch_size: int = 16
    """Pairs a step."""
    learning_rate: float = 1e-3
    """Of Adam, constant."""
    epochs: int | None = None
    """Passes over the training pairs; None: the published number of each data set, of others 20."""
    seeds: Ints = (20, 13)
    """Of the normal runs; the first is the gold run, the second the one whose beta is compared too."""
    uniform_seed: int = 12
    """Of the run with attention frozen to uniform."""
    seeds_together: int = 1
    """So many runs are trained as one stack; 1: one by one, with cuDNN on a GPU."""
    iterations: Ints | None = None
    """Checkpoints, as updates that they hold; None: the published ones where a data set is trained as published, else
    those of --save-every and --custom-saves."""
    save_every: int | None = None
    """Checkpoints at multiples of this and at the end; None: 2000."""
    custom_saves: Ints | None = None
    """Checkpoints at these steps too; None: those of 0,50,100,500,1000,1500 that a training reaches."""
    performances: tuple[Performance, ...] = ("accuracy",)
    """What chooses the gold run's checkpoint and gives xi: accuracy (percent), bleu (a beam search a checkpoint)."""
    splits: tuple[Split, ...] = (VAL, TRAIN)
    """val, and a sample of the training pairs as large as val."""
    metrics: tuple[Metric, ...] = ("top5", "kendall")
    """top-5 % match, Kendall's tau-b."""
    dump: Dump = "needed"
    """everything: alpha, beta and Delta of all runs and checkpoints, not only what the statistics need."""
    beams: int = 5
    """Of the beam search that BLEU is of."""
    max_length: int = 100
    """Tokens of a translation at most, bos included."""
    proxy_epochs: int = 30
    """Of the bag-of-words proxy; the epoch with the lowest loss on val is kept."""
    proxy_width: int = 256
    """Of its embeddings."""
    proxy_batch: int = 64
    """Pairs a step."""
    proxy_learning_rate: float = 1e-3
    """Of Adam, constant, on the summed loss of a batch."""
    proxy_seed: int = 0
    """Of its weights and order; the published one had none."""
    legacy_proxy_loss: bool = False
    """Train the proxy as published, on bos and padding of the targets too (quirk T1)."""

    def __post_init__(self):
        for name in ("datasets", "performances", "metrics"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} is {' '.join(values) or 'empty'}: give at least one, each once")
        check_splits(self.splits)
        _ = self.runs
        positive = ("hidden", "layers", "batch_size", "learning_rate", "seeds_together", "beams", "max_length")
        for name in (*positive, "proxy_epochs", "proxy_width", "proxy_batch", "proxy_learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name.replace('_', '-')} is {getattr(self, name)}: give more than 0")
        for name in ("epochs", "save_every", "train_limit", "val_limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name.replace('_', '-')} is {value}: give at least 1")
        if self.iterations is not None and (self.save_every is not None or self.custom_saves is not None):
            raise ValueError("iterations and save-every or custom-saves: give the one or the others")

    @property
    def runs(self) -> Runs:
        """The trainings of each data set."""
        return Runs(seeds=self.seeds, uniform_seed=self.uniform_seed)


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
