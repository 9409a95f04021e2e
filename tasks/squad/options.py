"""The options that the experiments on SQuAD share: models, questions, windows, fine-tuning. Imports no torch."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.limits import AboveZero, Limited, NotNegative, Positive, Several
from tasks.encoders.options import SeveralInts
from tasks.encoders.params import SCRATCH
from tasks.encoders.transformer import TransformerOptions
from tasks.squad.questions.plan import QuestionOptions


@dataclass(frozen=True, kw_only=True)
class MixedPrecision(Limited):
    """In which numbers a model is fine-tuned."""

    precision: Literal["float32", "bf16"] = "float32"
    """Precision of fine-tuning; bf16 is automatic mixed precision, on GPUs only."""


@dataclass(frozen=True, kw_only=True)
class AnswerLength(Limited):
    """How long an answer may be."""

    max_answer_length: Positive = 30
    """Maximum length of an answer in tokens."""


@dataclass(frozen=True, kw_only=True)
class SquadOptions(MixedPrecision, QuestionOptions, TransformerOptions):
    """Models, questions, windows, and how models are fine-tuned on them."""

    models: Several[str] = (
        "albert/albert-base-v2",
        "google-bert/bert-base-uncased",
        "distilbert/distilbert-base-uncased",
        "distilbert/distilroberta-base",
    )
    """BERT, ALBERT, DistilBERT or RoBERTa checkpoints: hub names or directories; scratch: random weights of the sizes
    given."""
    finetune_seeds: SeveralInts = (42,)
    """Random seeds of fine-tuning: span head, data order and dropout; of the model scratch also its initial weights."""
    finetune_epochs: Positive = 3
    """Epochs of fine-tuning."""
    finetune_batch: Positive = 8
    """Batch size of fine-tuning, in windows."""
    finetune_learning_rate: AboveZero = 3e-5
    """Peak learning rate of fine-tuning; it decays linearly to zero."""
    finetune_warmup: NotNegative = 0
    """Warm-up steps of fine-tuning."""
    finetune_parts: Positive | None = None
    """Jobs that a training is cut into, each resuming from the one before; None: one an epoch. No number changes."""

    def __post_init__(self):
        super().__post_init__()
        self.check_models()


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
