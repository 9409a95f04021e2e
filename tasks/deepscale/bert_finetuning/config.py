"""The options of `bert_finetuning` and its presets; `paper` is the published setting (dslm 4.2, 4.3)."""

from dataclasses import dataclass

from orchestrator.options import Ints
from tasks.deepscale.bert_finetuning.params import Precision, Task, check_task
from tasks.deepscale.deep_bert.options import PretrainingOptions
from tasks.deepscale.deep_bert.params import Norm, Scheme
from tasks.encoders.options import at_least, distinct

PRETRAINED = "pretrained"
"""In place of a checkpoint: the networks that this sweep pretrains itself."""


@dataclass(frozen=True, kw_only=True)
class Config(PretrainingOptions):
    """Finetune pretrained BERTs: a run for each task, checkpoint, learning rate and seed. What has no finetune- in its
    name is of the pretraining, as in bert_pretraining: with one results directory a network is pretrained once."""

    tasks: tuple[Task, ...] = ("MNLI", "QQP", "RACE")
    """GLUE's tasks of classes, RACE, or the builtin ones: acceptability same_topic continuation."""
    models: tuple[str, ...] = (PRETRAINED,)
    """pretrained: networks that the sweep pretrains itself, of all --norms, --schemes and --layers; else Hugging Face
    BERT checkpoints, by hub name or directory, or directories that a pretraining of this project wrote."""
    norms: tuple[Norm, ...] = ("post",)
    """Of pretrained networks: where LayerNorms stand."""
    schemes: tuple[Scheme, ...] = ("vanilla", "dslm")
    """Of pretrained networks: how weights are drawn. Published: vanilla."""
    layers: Ints = (12,)
    """Of pretrained networks."""
    pretrain_seeds: Ints = (1234,)
    """Of pretrained networks."""
    data_dir: str | None = None
    """Directory with the GLUE tasks as official TSV files and RACE's folders; None: the hub's."""
    pickled_weights: bool = False
    """Also read pytorch_model.bin where a checkpoint has no safetensors; only tensors are taken out of it."""
    finetune_tokenizer: str | None = None
    """Of given checkpoints; None: a Hugging Face checkpoint's own, else --tokenizer."""
    finetune_learning_rates: tuple[float, ...] = (1e-5, 2e-5, 3e-5, 4e-5, 5e-5)
    """Highest learning rates; the best is chosen on the dev set by the median over seeds."""
    finetune_seeds: Ints = (1000, 1001, 1002, 1003, 1004)
    """Seeds of head, order and dropout. Published: five of 1000 to 1999."""
    finetune_epochs: int | None = None
    """Passes over the training set; None: 5 for QQP and RACE, 3 for the others."""
    finetune_batch: int | None = None
    """Examples a step; None: 8 questions of RACE, else 32. What is left of an epoch is dropped."""
    finetune_micro_batch: int | None = None
    """Examples that pass the network together; None: the whole batch."""
    finetune_warmup: float | None = None
    """Share of the steps with a rising learning rate; None: 0.06 for RACE, else 0.1."""
    finetune_weight_decay: float = 0.01
    """Not on biases and LayerNorms."""
    finetune_clip: float = 1.0
    """Largest total gradient norm; 0: off."""
    finetune_dropout: float = 0.1
    """Of the encoder and before the head."""
    finetune_attention_dropout: float = 0.1
    """Of attention probabilities."""
    finetune_length: int = 512
    """Tokens an example at most; of a pair the longer text is cut first, of a question with its passage the passage."""
    question_length: int = 128
    """Tokens of a question with one of its options at most."""
    finetune_precision: Precision = "bf16"
    """bf16: mixed precision, on CUDA only. float32 or float64: on any device."""
    legacy_first_step: bool = False
    """The published schedule, whose first step has the learning rate 0."""
    train_limit: int | None = None
    """Train on so many examples at most."""
    dev_limit: int | None = None
    """Evaluate on so many examples of a split at most."""

    def __post_init__(self):
        super().__post_init__()
        lists = ("tasks", "models", "norms", "schemes", "layers", "pretrain_seeds")
        for name in (*lists, "finetune_learning_rates", "finetune_seeds"):
            distinct(self, name)
        for task in self.tasks:
            check_task(task)
        counts = ("finetune_epochs", "finetune_batch", "finetune_micro_batch", "finetune_length", "question_length")
        for name in (*counts, "train_limit", "dev_limit"):
            at_least(self, name, 1)
        if min(self.finetune_learning_rates) <= 0:
            raise ValueError(f"finetune-learning-rates has {min(self.finetune_learning_rates)}: give more than 0")
        if PRETRAINED in self.models:
            if self.finetune_length > self.length:
                raise ValueError(
                    f"finetune-length is {self.finetune_length}, networks pretrained with --length {self.length} have "
                    f"as many positions: give --finetune-length {self.length} or less"
                )
            for scheme in self.schemes:
                for layers in self.layers:
                    self.network(self.norms[0], scheme, layers)


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
