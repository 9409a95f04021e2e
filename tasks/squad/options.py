"""The options that the experiments on SQuAD share: models, questions, windows, fine-tuning. Imports no torch."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.options import Ints
from tasks.encoders.options import at_least, distinct
from tasks.encoders.params import SCRATCH
from tasks.encoders.transformer_options import TransformerOptions

PUBLISHED_MODELS = (
    "albert/albert-base-v2",
    "google-bert/bert-base-uncased",
    "distilbert/distilbert-base-uncased",
    "distilbert/distilroberta-base",
)


@dataclass(frozen=True, kw_only=True)
class SquadOptions(TransformerOptions):
    """Models, questions, windows, and how models are fine-tuned on them."""

    models: tuple[str, ...] = PUBLISHED_MODELS
    """BERT, ALBERT, DistilBERT or RoBERTa checkpoints: hub names or directories; scratch: random weights of the sizes
    given."""
    dataset: Literal["squad_v2", "builtin"] = "squad_v2"
    """squad_v2: --data-dir, else the hub's; builtin: questions on Python's own documentation."""
    data_dir: str | None = None
    """Directory with train-v2.0.json and dev-v2.0.json, the official files or those of CS224N."""
    max_length: int = 384
    """Tokens of a window, with the question and the special ones."""
    doc_stride: int = 128
    """Context tokens from the start of one window to the start of the next."""
    max_query_length: int = 64
    """Tokens of a question at most; the rest is cut."""
    train_limit: int | None = None
    """Train on so many questions at most."""
    dev_limit: int | None = None
    """Evaluate on so many questions at most."""
    finetune_seeds: Ints = (42,)
    """Seeds of fine-tuning: of head, order and dropout; of the model scratch also of its first weights."""
    finetune_epochs: int = 3
    """Passes over the training windows."""
    finetune_batch: int = 8
    """Windows a step."""
    finetune_learning_rate: float = 3e-5
    """Highest learning rate; it falls linearly to zero."""
    finetune_warmup: int = 0
    """Steps over which it first rises."""
    finetune_parts: int | None = None
    """Jobs that a training is cut into, each going on from the one before; None: one an epoch. No number changes."""
    precision: Literal["float32", "bf16"] = "float32"
    """bf16: mixed precision while fine-tuning, on CUDA only."""

    def __post_init__(self):
        self.check_models()
        distinct(self, "finetune_seeds")
        counts = ("max_length", "doc_stride", "max_query_length", "train_limit", "dev_limit")
        for name in (*counts, "finetune_epochs", "finetune_batch", "finetune_parts"):
            at_least(self, name, 1)
        at_least(self, "finetune_warmup", 0)
        if self.finetune_learning_rate <= 0:
            raise ValueError(f"finetune-learning-rate is {self.finetune_learning_rate}: give more than 0")
        if self.dataset == "builtin" and self.data_dir is not None:
            raise ValueError("data-dir goes with the dataset squad_v2: leave it out, or give --dataset squad_v2")


QUICK_SQUAD: Mapping[str, Any] = types.MappingProxyType(
    {
        "models": (SCRATCH,),
        "tokenizer": "builtin",
        "layers": 2,
        "width": 64,
        "heads": 4,
        "dataset": "builtin",
        "max_length": 96,
        "doc_stride": 32,
        "max_query_length": 24,
        "train_limit": 2400,
        "dev_limit": 300,
        "finetune_epochs": 5,
        "finetune_learning_rate": 1e-3,  # the published 3e-5 is for weights that are pretrained
        "finetune_warmup": 50,
    }
)
"""The model and the questions of the quick presets: with one results directory their sweeps train it once."""
