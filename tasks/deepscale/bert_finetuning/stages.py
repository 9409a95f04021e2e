"""What the stages of `bert_finetuning` take and write: parameters, tables, the stages themselves. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import Limited, Positive, Probability, ZeroOrMore, require
from tasks.data.examples import task_info
from tasks.data.plan import ExampleLimits
from tasks.deepscale.bert_finetuning.config import FirstStep, check_task
from tasks.deepscale.deep_bert.params import Dropout, Precision
from tasks.deepscale.race.questions import CHOICE_TASKS, OPTIONS

DIVERGED, FINISHED = "diverged", "finished"
OVERALL = "dev"
"""The dev set of a task, all its levels together where there are several."""


def main_split(task: str) -> str:
    """The split that a learning rate is chosen on: MNLI's matched, of RACE both levels together."""
    return "dev_matched" if task == "MNLI" else OVERALL


def is_own(directory: Path) -> bool:
    """Whether this project wrote the checkpoint there; whoever loads it says what is wrong with it."""
    return '"deep_bert"' in (directory / "config.json").read_text(encoding="utf-8", errors="replace")


def n_classes(task: str) -> int:
    """Classes, or choices of a question."""
    return OPTIONS if task in CHOICE_TASKS else task_info(task).n_outputs


@dataclass(frozen=True, kw_only=True)
class _Training(Limited):
    task: str
    model: str
    """Name of the checkpoint, or the variant that this project pretrained."""
    revision: str
    """The hub's commit, a hash of the directory, or `job-` and the id of the pretraining job."""
    norm: str | None = None
    """`pre` or `post`, of a network that this project pretrained; as the three that follow."""
    scheme: str | None = None
    layers: int | None = None
    pretrain_seed: int | None = None
    tokenizer: str
    max_length: Positive = 512
    """Maximum sequence length in tokens."""
    batch_size: Positive = 32
    """Examples, or questions, a step; an epoch's last partial batch is dropped."""
    micro_batch: Positive | None = None
    """Examples, or questions, that pass the network together; their gradients are summed. None: the whole batch."""
    epochs: Positive = 3
    learning_rate: ZeroOrMore
    """Peak learning rate."""
    warmup: Probability = 0.1
    """Fraction of the steps with linear warm-up; then linear decay to zero."""
    weight_decay: ZeroOrMore = 0.01
    """Decoupled, not on biases and LayerNorm gains."""
    clip: ZeroOrMore = 1.0
    """Maximum total gradient norm; 0: no clipping."""


@dataclass(frozen=True, kw_only=True)
class _Seed(Limited):
    seed: int
    """Random seed of head, data order and dropout."""
    precision: Precision = "float32"
    """`bf16`: automatic mixed precision, on GPUs only."""


@dataclass(frozen=True, kw_only=True)
class FinetuneParams(ExampleLimits, FirstStep, _Seed, Dropout, _Training):
    """One run: a checkpoint finetuned on a task with one learning rate and one seed."""

    curve_points: Positive = 100
    """Maximum number of points of the training curve."""

    def __post_init__(self):
        super().__post_init__()
        check_task("task", self.task)
        fine = self.micro_batch is None or self.micro_batch <= self.batch_size
        require(fine, "micro_batch", self.micro_batch, f"at most the batch size, {self.batch_size}")


@dataclass(frozen=True, kw_only=True)
class _Tokens(Limited):
    task: str
    tokenizer: str
    max_length: int


@dataclass(frozen=True, kw_only=True)
class DataParams(ExampleLimits, _Tokens):
    """What a task's tokens are like, and what guessing scores."""


_SPLIT = column("split", pa.string(), "evaluation split; dev: all of it, where a task has levels (RACE) all together")

SCORES = TableSpec(
    schema=pa.schema(
        [
            _SPLIT,
            column(
                "part",
                pa.string(),
                "all examples of the split; half_a, half_b: a fixed random half (RACE: of the passages), so that a "
                "learning rate can be chosen on one and judged on the other",
            ),
            column("epoch", pa.int64(), "passes over the training set done"),
            column(
                "metric",
                pa.string(),
                "accuracy; loss: mean cross entropy, nats an example; GLUE's other metrics of a task (f1, matthews …)",
            ),
            column("value", pa.float64(), "fraction or coefficient; NaN after a divergence"),
        ]
    ),
    key=("split", "part", "epoch", "metric"),
    doc="Evaluation after each epoch, every example counted once.",
)
CURVES = TableSpec(
    schema=pa.schema(
        [
            column("step", pa.int64(), "training steps done"),
            column("epoch", pa.float64(), "training steps done over steps an epoch"),
            column("loss", pa.float64(), "mean training loss of the steps since the previous point, nats an example"),
            column("gradient_norm", pa.float64(), "mean total gradient norm of these steps, before clipping"),
            column("rate", pa.float64(), "learning rate of the last of these steps"),
        ]
    ),
    key=("step",),
    doc="Training curves.",
)
FINETUNINGS = TableSpec(
    schema=pa.schema(
        [
            column("status", pa.string(), "finished, or diverged: a loss or gradient that is not finite"),
            column("step", pa.int64(), "steps done with finite loss and gradient"),
            column("steps", pa.int64(), "steps planned"),
            column("n_train", pa.int64(), "training examples"),
            column("n_dev", pa.int64(), "evaluated examples, each counted once, all splits together"),
            column("tokens", pa.int64(), "tokens trained on, without padding"),
            column("padding", pa.float64(), "share of the trained positions that were padding"),
            column("train_seconds", pa.float64(), "seconds of training"),
            column("dev_seconds", pa.float64(), "seconds of all evaluations"),
            column("recomputed", pa.bool_(), "whether layers were run twice to save memory; no number changes"),
        ]
    ),
    key=(),
    doc="How each run ended, and what it cost.",
)
DATA = TableSpec(
    schema=pa.schema(
        [
            _SPLIT,
            column(
                "metric",
                pa.string(),
                "examples; tokens: mean tokens an example (of choices: of the longest row); full: share with "
                "max_length tokens, of which most are cut; majority_accuracy: of always naming train's most frequent "
                "class; random_accuracy: one over the number of classes",
            ),
            column("value", pa.float64(), "its value"),
        ]
    ),
    key=("split", "metric"),
    doc="What the tokens of each task are like, and what guessing scores.",
)

FINETUNE = Stage(
    name="bert_finetune",
    function="tasks.deepscale.bert_finetuning.finetune:bert_finetune",
    params=FinetuneParams,
    tables={"scores": SCORES, "curves": CURVES, "finetunings": FINETUNINGS},
    resources=Resources(num_cpus=1, num_gpus=1),
)
DATA_REPORT = Stage(
    name="finetune_data",
    function="tasks.deepscale.bert_finetuning.data:finetune_data",
    params=DataParams,
    tables={"data": DATA},
)
