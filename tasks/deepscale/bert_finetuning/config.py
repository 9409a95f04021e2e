"""The options of `bert_finetuning` and its presets; `paper` is the published setting (README 4, 5)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt

from orchestrator.limits import Limited, Positive, Probability, Several, ZeroOrMore, require
from tasks.data.examples import TASKS, TaskName, task_info
from tasks.data.plan import ExampleLimits
from tasks.deepscale.deep_bert.params import Precision, PretrainingOptions
from tasks.deepscale.race.plan import QuestionLength
from tasks.deepscale.race.questions import CHOICE_TASKS
from tasks.encoders.options import SeveralInts

Task = Literal[TaskName, "RACE", "continuation"]
PRETRAINED = "pretrained"
"""In place of a checkpoint: the networks that this sweep pretrains itself."""


def check_task(name: str, task: str) -> None:
    """Refuse what is no task of classes or choices; `name` is the option's.

    Raises:
        ValueError: an unknown task, or a regression.
    """
    classes = [known for known, info in TASKS.items() if not info.is_regression]
    fine = task in CHOICE_TASKS or not task_info(task).is_regression
    require(fine, name, task, f"a task of classes or choices: {', '.join([*classes, *CHOICE_TASKS])}")


@dataclass(frozen=True, kw_only=True)
class FirstStep(Limited):
    """Whether the published schedule is used."""

    legacy_first_step: bool = False
    """Learning rate 0 in the first step of finetuning, as published."""


@dataclass(frozen=True, kw_only=True)
class Config(ExampleLimits, FirstStep, QuestionLength, PretrainingOptions):
    """Finetune pretrained BERTs: a run for each task, checkpoint, learning rate and seed. What has no finetune- in its
    name is of the pretraining, as in bert_pretraining: with one results directory a network is pretrained once."""

    tasks: Several[Task] = ("MNLI", "QQP", "RACE")
    """GLUE's classification tasks, RACE, or the builtin ones: acceptability same_topic continuation."""
    models: Several[str] = (PRETRAINED,)
    """pretrained: networks that the sweep pretrains itself, of all --norms, --schemes and --layers; else Hugging Face
    BERT checkpoints, by hub name or directory, or directories that a pretraining of this project wrote."""
    pretrain_seeds: SeveralInts = (1234,)
    """Random seeds of pretraining."""
    data_dir: str | None = None
    """Directory with the GLUE tasks as official TSV files and RACE's folders; None: the hub's."""
    pickled_weights: bool = False
    """Also read pytorch_model.bin where a checkpoint has no safetensors; only tensors are taken out of it."""
    finetune_tokenizer: str | None = None
    """Tokenizer of given checkpoints; None: a Hugging Face checkpoint's own, else --tokenizer."""
    finetune_learning_rates: Annotated[Several[float], Gt(0)] = (1e-5, 2e-5, 3e-5, 4e-5, 5e-5)
    """Peak learning rates; the best is chosen on the dev set by the median over seeds."""
    finetune_seeds: SeveralInts = (1000, 1001, 1002, 1003, 1004)
    """Random seeds of head, data order and dropout. Published: five of 1000 to 1999."""
    finetune_epochs: Positive | None = None
    """Training epochs; None: 5 for QQP and RACE, 3 for the others."""
    finetune_batch: Positive | None = None
    """Batch size; None: 8 questions of RACE, else 32. An epoch's last partial batch is dropped."""
    finetune_micro_batch: Positive | None = None
    """Examples that pass the network together; None: the whole batch."""
    finetune_warmup: Probability | None = None
    """Fraction of the steps with linear warm-up; None: 0.06 for RACE, else 0.1."""
    finetune_weight_decay: ZeroOrMore = 0.01
    """Decoupled weight decay, not on biases and LayerNorms."""
    finetune_clip: ZeroOrMore = 1.0
    """Maximum total gradient norm; 0: no clipping."""
    finetune_dropout: Probability = 0.1
    """Dropout of the encoder and before the head."""
    finetune_attention_dropout: Probability = 0.1
    """Dropout of attention probabilities."""
    finetune_length: Positive = 512
    """Maximum sequence length in tokens; a pair's longer text is cut first, with a question its passage."""
    finetune_precision: Precision = "bf16"
    """bf16: automatic mixed precision, on GPUs only. float32 or float64: on any device."""

    def __post_init__(self):
        super().__post_init__()
        for task in self.tasks:
            check_task("tasks", task)
        if PRETRAINED in self.models:
            remedy = f"at most {self.length}, the positions of networks pretrained with --length {self.length}"
            require(self.finetune_length <= self.length, "finetune_length", self.finetune_length, remedy)
            list(self.networks())  # one that cannot be is refused before anything is planned


PRESETS = {
    "paper": Config(vocab_size=30_592, workers=8, worker_cpus=4),  # the networks of bert_pretraining
    "quick": Config(
        tasks=("same_topic", "continuation"),
        corpus="builtin",
        tokenizer="builtin",
        width=48,
        heads=4,
        layers=(4,),
        length=64,
        global_batch=16,
        micro_batch=16,
        steps=200,
        learning_rate=3e-3,  # the published 1e-4 is for 488,281 steps
        warmup=0.1,
        test_ratio=0.1,
        precision="float32",
        test_samples=64,
        test_points=1,
        finetune_learning_rates=(3e-4, 1e-3),
        finetune_seeds=(1000, 1001),
        finetune_epochs=2,
        finetune_batch=8,
        finetune_length=64,
        question_length=28,
        finetune_precision="float32",
        train_limit=160,
        dev_limit=120,
    ),
}
