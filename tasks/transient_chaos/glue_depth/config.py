"""The options of `glue_depth` and its presets; `paper` is the published setting (README 3)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from orchestrator.limits import AboveZero, Limited, Positive, Probability, Several, require
from orchestrator.options import Ints
from tasks.data.examples import BUILTIN_TASKS, TaskName
from tasks.data.plan import ExampleLimits
from tasks.encoders.options import ModelOptions, SeveralInts
from tasks.encoders.params import SCRATCH, Encoder

Training = Literal["frozen", "finetuned"]


@dataclass(frozen=True, kw_only=True)
class Batches(Limited):
    """What a training step reads."""

    max_length: Positive = 64
    """Maximum length of an example in tokens; of a pair the longer text is cut first."""
    batch_size: Positive = 8
    """Batch size; the last batch of an epoch may be smaller."""


@dataclass(frozen=True, kw_only=True)
class HeadDropout(Limited):
    """Regularisation of the classification head."""

    dropout: Probability = 0.1
    """Dropout before the classification head."""


@dataclass(frozen=True, kw_only=True)
class Config(ModelOptions, ExampleLimits, HeadDropout, Batches):
    """GLUE score against the number of layers. Frozen depths share one pass; each finetuned depth is a training run."""

    tasks: Several[TaskName] = ("CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE", "WNLI")
    """GLUE tasks, or the builtin ones (made from Python's own documentation): acceptability same_topic similarity."""
    encoders: Several[Encoder] = ("pretrained", "random")
    """Where the encoder's weights come from."""
    trainings: Several[Training] = ("frozen", "finetuned")
    """frozen: a linear head on a frozen encoder. finetuned: all parameters are trained."""
    depths: Annotated[SeveralInts, Ge(1)] = tuple(range(1, 101))
    """Numbers of layers."""
    finetuned_depths: Annotated[Ints, Ge(1)] = ()
    """Numbers of layers to finetune; empty: those of --depths. 1-4,6,8,12,16,24,32,48,64,80,100 costs 12 times less."""
    seeds: SeveralInts = (42, 43, 44, 45, 46)
    """Random seeds of heads, data order and dropout, and of random encoders. The published runs all had 42."""
    data_dir: str | None = None
    """Directory with the GLUE tasks in the official TSV layout; None: the hub's nyu-mll/glue."""
    init_style: Literal["hf_default", "glue_legacy"] = "hf_default"
    """Random weights. glue_legacy re-draws LayerNorm gains near zero as the published code did, which cripples them."""
    epochs: Positive | None = None
    """Training epochs; None: 10 for STS-B and 3 for the others."""
    frozen_learning_rate: AboveZero = 1e-3
    """Peak learning rate of heads on a frozen encoder."""
    finetuned_learning_rate: AboveZero = 1e-6
    """Peak learning rate of finetuning."""
    schedule: Literal["legacy", "linear"] = "legacy"
    """legacy: lr * 0.9995^step, whatever the length of training (published; pretrained finetuned runs decay linearly).
    linear: to zero over the training, for all runs."""
    precision: Literal["float32", "bf16"] = "float32"
    """Precision of finetuning; bf16 is automatic mixed precision, on GPUs only."""

    def __post_init__(self):
        super().__post_init__()
        self.check_model()
        fine = self.model != SCRATCH or "pretrained" not in self.encoders
        require(fine, "encoders", self.encoders, "random alone: the model scratch has random weights only")


PRESETS = {
    "paper": Config(),
    "quick": Config(
        tasks=BUILTIN_TASKS,  # pyright: ignore[reportArgumentType]
        encoders=("random",),
        depths=tuple(range(1, 17)),
        finetuned_depths=(1, 2, 4),
        seeds=(0, 1, 2),
        model=SCRATCH,
        tokenizer="builtin",
        width=64,
        max_length=48,
        epochs=3,
        init_range=0.08,  # 0.02 * sqrt(1024 / 64): the gain of albert-large at this width
        frozen_learning_rate=3e-3,
        finetuned_learning_rate=1e-3,  # the published 1e-6 leaves random weights where they are
        schedule="linear",
        train_limit=1200,
    ),
}
