"""What the stages of `bert_finetuning` take and write: parameters, tables, the stages themselves. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.data.examples import TASKS, task_info
from tasks.deepscale.race.questions import CHOICE_TASKS, OPTIONS, SPLITS

Task = Literal[
    "MNLI",
    "QQP",
    "RACE",
    "CoLA",
    "SST-2",
    "MRPC",
    "QNLI",
    "RTE",
    "WNLI",
    "STS-B",
    "acceptability",
    "same_topic",
    "similarity",
    "continuation",
]
Precision = Literal["float32", "bf16", "float64"]
DIVERGED, FINISHED = "diverged", "finished"
OVERALL = "dev"
"""The dev set of a task, all its levels together where there are several."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """Settings of a task (dslm 4.3)."""

    epochs: int = 3
    batch_size: int = 32
    warmup: float = 0.1


PUBLISHED = {
    "QQP": Published(epochs=5),
    "RACE": Published(epochs=5, batch_size=8, warmup=0.06),
    "continuation": Published(epochs=5, batch_size=8, warmup=0.06),
}


def published(task: str) -> Published:
    """The published settings of a task; of others than the three, those of MNLI."""
    return PUBLISHED.get(task, Published())


def check_task(task: str) -> None:
    """Refuse what is no task of classes or choices.

    Raises:
        ValueError: an unknown task, or a regression.
    """
    if task not in CHOICE_TASKS and task_info(task).is_regression:
        classes = [name for name, info in TASKS.items() if not info.is_regression]
        raise ValueError(f"{task} asks for a number, not for a class; choose {', '.join([*classes, *CHOICE_TASKS])}")


def eval_splits(task: str) -> tuple[str, ...]:
    """The splits that are evaluated: `dev`, MNLI's matched and mismatched, RACE's middle and high."""
    return SPLITS[task][1:] if task in CHOICE_TASKS else task_info(task).eval_splits


def main_split(task: str) -> str:
    """The split that a learning rate is chosen on: MNLI's matched, of RACE both levels together."""
    return "dev_matched" if task == "MNLI" else OVERALL


def n_classes(task: str) -> int:
    """Classes, or choices of a question."""
    return OPTIONS if task in CHOICE_TASKS else task_info(task).n_outputs


@dataclass(frozen=True, kw_only=True)
class FinetuneParams:
    """One run: a checkpoint finetuned on a task with one learning rate and one seed."""

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
    max_length: int = 512
    """Tokens an example at most."""
    batch_size: int = 32
    """Examples, or questions, a step; what is left of an epoch is dropped."""
    micro_batch: int | None = None
    """Examples, or questions, that pass the network together; their gradients are summed. None: the whole batch."""
    epochs: int = 3
    learning_rate: float
    """Highest learning rate."""
    warmup: float = 0.1
    """Share of the steps over which it rises; then it falls linearly to zero."""
    weight_decay: float = 0.01
    """Decoupled, not on biases and LayerNorm gains."""
    clip: float = 1.0
    """Largest total gradient norm; 0: off."""
    dropout: float = 0.1
    """Of the encoder and before the head."""
    attention_dropout: float = 0.1
    seed: int
    """Of the head, the order of the examples and dropout."""
    precision: Precision = "float32"
    """bf16: automatic mixed precision, on GPUs alone."""
    legacy_first_step: bool = False
    """The published schedule, in which the first step has the learning rate 0 (dslm 5, quirk 20)."""
    train_limit: int | None = None
    dev_limit: int | None = None
    curve_points: int = 100
    """Points of the training curve at most."""

    def __post_init__(self):
        check_task(self.task)
        for name in ("max_length", "batch_size", "epochs", "curve_points"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if self.micro_batch is not None and not 1 <= self.micro_batch <= self.batch_size:
            raise ValueError(f"micro_batch is {self.micro_batch}; expected 1 to the batch size, {self.batch_size}")
        for name in ("learning_rate", "weight_decay", "clip"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more")
        for name in ("warmup", "dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected a share, 0 or more and below 1")


@dataclass(frozen=True, kw_only=True)
class DataParams:
    """What a task's tokens are like, and what guessing scores."""

    task: str
    tokenizer: str
    max_length: int
    train_limit: int | None = None
    dev_limit: int | None = None


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
