"""The stage `pretrain_bert` as the plan sees it: its parameters, its tables, the stage itself. Imports no torch.

Its artifact is a DeepBert's files (`models.deep_bert_files`), which other jobs want under the need name `model`, and
`training.json`, which `pretrain_bert_report` makes rows of: a checkpoint without rows serves several experiments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.deepscale.deep_bert.params import DeepBertParams
from tasks.deepscale.pretraining_text.checks import check_batches

Precision = Literal["float32", "bf16", "float64"]
Sharding = Literal["auto", "ddp", "fsdp"]
Switch = Literal["auto", "on", "off"]

MARGIN = 0.05  # nats


@dataclass(frozen=True, kw_only=True)
class PretrainParams(DeepBertParams):
    """Everything that shapes the weights of a pretrained network, beside the documents, which the job needs."""

    corpus: str
    tokenizer: str
    length: int = 512
    """Most tokens of a sequence; also the rows of the position table."""
    global_batch: int = 256
    """Sequences a step, of all workers together."""
    micro_batch: int = 32
    """Sequences that go through the network at once: a part of the numbers, since losses are means over these."""
    buckets: bool = True
    """Put sequences of about the same length together; else pad all to `length`, as published."""
    steps: int = 488_281
    learning_rate: float = 1e-4
    """Highest learning rate; it rises linearly over the first steps and falls linearly to zero."""
    warmup: float = 0.01
    """Share of the steps over which it rises."""
    weight_decay: float = 0.01
    """Decoupled; not on biases and LayerNorms."""
    beta1: float = 0.9
    beta2: float = 0.999
    adam_eps: float = 1e-8
    clip: float = 1.0
    """Largest total gradient norm; 0: off."""
    precision: Precision = "bf16"
    """`bf16`: products in bfloat16, weights, gradients and sums in float32; its kernels need not repeat to the bit."""
    vocab_size: int | None = None
    """Rows of the word table; None: as many as the tokenizer has ids."""
    seed: int = 1234
    """Of weights, order of the data, masks and dropout."""
    points: int = 200
    """Points of the training curves, at most."""
    test_points: int = 10
    """How often the test part is gone through, at most; the last time is at the end."""
    test_samples: int = 12_800
    """Sequences of the test part, at most; each is taken once."""
    legacy_schedule: bool = False
    """Learning rate 0 in the first step, as published (dslm 5, quirk 20)."""
    legacy_short: bool = False
    """Short sequences as published: all of even length, some with nothing hidden (dslm 5, quirk 19)."""

    def __post_init__(self):
        super().__post_init__()
        check_batches(length=self.length, global_batch=self.global_batch, micro_batch=self.micro_batch)
        for name in ("steps", "points", "test_points", "test_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        for name in ("weight_decay", "clip"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more")
        for name in ("learning_rate", "adam_eps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected more than 0")
        for name in ("warmup", "beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more, and less than 1")
        if self.precision not in ("float32", "bf16", "float64"):
            raise ValueError(f"precision is {self.precision!r}; choose float32, bf16 or float64")
        if self.vocab_size is not None and self.vocab_size < 1:
            raise ValueError(f"vocab_size is {self.vocab_size}; expected at least 1, or None")


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a job is run; no number of it depends on these but for rounding. They travel in `Job.paths`, as texts."""

    sharding: Sharding = "auto"
    """With several workers. `ddp`: each has all weights; `fsdp`: each has a part of them, of the gradients and of the
    optimiser's state (FSDP2); `auto`: `fsdp` where all do not fit."""
    compile: Switch = "auto"
    """Whether torch.compile translates the layers; `auto`: on GPUs."""
    recompute: Switch = "auto"
    """Whether layers are run again in the backward pass instead of being kept; `auto`: where memory asks for it."""
    checkpoint_seconds: float = 300.0
    """Save the state about so often."""

    def __post_init__(self):
        for name, known in (("sharding", ("auto", "ddp", "fsdp")), *((n, _SWITCH) for n in ("compile", "recompute"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; choose {', '.join(known[:-1])} or {known[-1]}")
        if not self.checkpoint_seconds >= 0:
            raise ValueError(f"checkpoint_seconds is {self.checkpoint_seconds}; expected 0 or more")

    def as_paths(self) -> dict[str, str]:
        return {name: str(getattr(self, name)) for name in self.__dataclass_fields__}

    @staticmethod
    def of(paths: Mapping[str, str]) -> "RunSettings":
        given = {name: paths[name] for name in ("sharding", "compile", "recompute") if name in paths}
        seconds = float(paths.get("checkpoint_seconds", RunSettings.checkpoint_seconds))
        return RunSettings(**given, checkpoint_seconds=seconds)  # pyright: ignore[reportArgumentType]


_SWITCH = ("auto", "on", "off")

TRAINING = TableSpec(
    schema=pa.schema(
        [
            column("step", pa.int64(), "training steps done; that of a step that was not finite is its own number"),
            column(
                "metric",
                pa.string(),
                "mean over the steps since the previous point: loss (nats, the sum of the two that follow), mlm_loss "
                "(a masked piece), order_loss (a sequence), gradient_norm (before clipping; all parameters, all "
                "workers), tokens (a step, without padding). learning_rate: of the last of these steps. "
                "tokens_per_second: of all workers, without padding, evaluations and checkpoints; flops_utilisation: "
                "share of the devices' peak that the model's own operations are (6 per weight of a matrix product and "
                "token, attention, the heads where they are needed; nothing for padding and recomputation), NaN where "
                "no peak is known. On the test part, each sequence once: test_loss, test_mlm_loss, test_order_loss, "
                "test_mlm_accuracy, test_order_accuracy",
            ),
            column("value", pa.float64(), "its value; NaN or infinite where a run diverged"),
        ]
    ),
    key=("step", "metric"),
    doc="Curves of each pretraining.",
)
OUTCOMES = TableSpec(
    schema=pa.schema(
        [
            column(
                "status",
                pa.string(),
                "diverged: a loss or gradient norm was not finite; not_training: at the end the test part's masked "
                f"pieces cost no less than {MARGIN} nats below unigram_loss, so no context is used; trained: else",
            ),
            column("step", pa.int64(), "steps done; of a diverged run, the number of the step that was not finite"),
            column("mlm_loss", pa.float64(), "training loss of the masked pieces at the last finite point, nats"),
            column("test_mlm_loss", pa.float64(), "nats a masked piece of the test part at the end; NaN if diverged"),
            column("test_mlm_accuracy", pa.float64(), "share of the masked pieces of the test part that is named"),
            column("test_order_accuracy", pa.float64(), "share of test sequences whose order is told"),
            column("unigram_loss", pa.float64(), "nats that the training part's frequencies cost on these pieces"),
            column(
                "unigram_entropy",
                pa.float64(),
                "entropy of the training part's tokens, nats: about what frequencies cost on the training pieces",
            ),
            column("n_pieces", pa.int64(), "masked pieces of the test part"),
            column("n_sequences", pa.int64(), "sequences of the test part"),
            column("n_parameters", pa.int64(), "weights of the network"),
            column("n_tokens", pa.float64(), "tokens that it was trained on, without padding"),
            column("padding", pa.float64(), "share of the positions gone through in training that was padding"),
        ]
    ),
    key=("status",),
    doc="What became of each pretraining.",
)

PRETRAIN_BERT = Stage(
    name="pretrain_bert",
    function="tasks.deepscale.deep_bert.pretraining:pretrain_bert",
    params=PretrainParams,
    resources=Resources(num_cpus=1, num_gpus=1),
    artifact=True,
    checkpoints=True,
)
PRETRAIN_BERT_REPORT = Stage(
    name="pretrain_bert_report",
    function="tasks.deepscale.deep_bert.report:pretrain_bert_report",
    params=PretrainParams,
    tables={"training": TRAINING, "outcomes": OUTCOMES},
)
