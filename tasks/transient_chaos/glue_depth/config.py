"""The options of `glue_depth` and its presets; `paper` is the published setting (transient_chaos 3.1 and 3.2)."""

from dataclasses import dataclass
from typing import Literal

from orchestrator.options import Ints
from tasks.data.examples import BUILTIN_TASKS, TaskName
from tasks.encoders.options import ModelOptions, at_least, distinct
from tasks.encoders.params import SCRATCH, Encoder

Training = Literal["frozen", "finetuned"]


@dataclass(frozen=True, kw_only=True)
class Config(ModelOptions):
    """GLUE score against the number of layers. Frozen depths share one pass; each finetuned depth is a training run."""

    tasks: tuple[TaskName, ...] = ("CoLA", "SST-2", "MRPC", "STS-B", "QQP", "MNLI", "QNLI", "RTE", "WNLI")
    """GLUE tasks, or the builtin ones (made from Python's own documentation): acceptability same_topic similarity."""
    encoders: tuple[Encoder, ...] = ("pretrained", "random")
    """Where the encoder's weights come from."""
    trainings: tuple[Training, ...] = ("frozen", "finetuned")
    """frozen: a linear head on a fixed encoder. finetuned: everything is trained."""
    depths: Ints = tuple(range(1, 101))
    """Numbers of layers."""
    finetuned_depths: Ints = ()
    """Numbers of layers to finetune; empty: those of --depths. 1-4,6,8,12,16,24,32,48,64,80,100 costs 12 times less."""
    seeds: Ints = (42, 43, 44, 45, 46)
    """Seeds of heads, data order and dropout, and of random encoders. The published runs all had 42."""
    data_dir: str | None = None
    """Directory with the GLUE tasks in the official TSV layout; None: the hub's nyu-mll/glue."""
    init_style: Literal["hf_default", "glue_legacy"] = "hf_default"
    """Random weights. glue_legacy re-draws LayerNorm gains near zero as the published code did, which cripples them."""
    max_length: int = 64
    """Tokens an example at most; of a pair the longer text is cut first."""
    batch_size: int = 8
    """Examples a training step."""
    epochs: int | None = None
    """Passes over the training set; None: 10 for STS-B and 3 for the others."""
    frozen_learning_rate: float = 1e-3
    """Of heads on a frozen encoder."""
    finetuned_learning_rate: float = 1e-6
    """Of runs in which everything is trained."""
    schedule: Literal["legacy", "linear"] = "legacy"
    """legacy: lr * 0.9995^step, whatever the length of training (published; pretrained finetuned runs decay linearly).
    linear: to zero over the training, for all runs."""
    dropout: float = 0.1
    """Dropout before the head."""
    precision: Literal["float32", "bf16"] = "float32"
    """Of finetuned runs; bf16 is automatic mixed precision, on GPUs only."""
    train_limit: int | None = None
    """Train on at most so many examples."""
    dev_limit: int | None = None
    """Evaluate on at most so many examples of a split."""

    def __post_init__(self):
        for name in ("tasks", "encoders", "trainings", "depths", "seeds"):
            distinct(self, name)
        if min(self.depths) < 1 or (self.finetuned_depths and min(self.finetuned_depths) < 1):
            raise ValueError("depths start at 1 layer")
        for name in ("max_length", "batch_size", "epochs", "train_limit", "dev_limit"):
            at_least(self, name, 1)
        self.check_model()
        if self.model == SCRATCH and "pretrained" in self.encoders:
            raise ValueError("the model scratch has random weights only: give --encoders random")


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
