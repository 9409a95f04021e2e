"""The options of one or several pretrainings; the Configs of experiments inherit them. Imports no torch."""

from dataclasses import dataclass
from typing import Any

from tasks.deepscale.deep_bert.params import Activation, DeepBertParams, Norm, Scheme
from tasks.deepscale.deep_bert.pretraining_params import Precision, RunSettings, Sharding, Switch
from tasks.deepscale.pretraining_text.checks import check_batches

# Fields that the job takes as they are; the others say which jobs there are, or how they are run.
_SHARED = (
    *("width", "heads", "intermediate", "activation", "dropout", "attention_dropout", "branch_k", "branch_alpha"),
    *("correlation", "legacy_logit_scale", "length", "global_batch", "micro_batch", "buckets", "steps"),
    *("learning_rate", "warmup", "weight_decay", "clip", "precision", "vocab_size", "points", "test_points"),
    *("test_samples", "legacy_schedule", "legacy_short"),
)


@dataclass(frozen=True, kw_only=True)
class PretrainingOptions:
    """The published pretraining of BERT-base (dslm 4.2) unless something else is said."""

    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin (Python's own documentation), a directory of text, or a text file."""
    tokenizer: str = "google-bert/bert-base-uncased"
    """A hub name, a directory, or builtin."""
    document_limit: int | None = None
    """Read no more than so many documents."""
    test_ratio: float = 0.01
    """Share of the documents that is the test part, of a corpus without parts of its own. Published: 10 of 1,000."""
    width: int = 768
    """Hidden size."""
    heads: int = 12
    """Attention heads."""
    intermediate: int = 0
    """Width of the MLPs; 0: four times the width."""
    activation: Activation = "relu"
    """Of the MLPs. Published: relu."""
    dropout: float = 0.1
    """Of embeddings and branches."""
    attention_dropout: float = 0.1
    """Of attention probabilities."""
    branch_k: float = 2.0
    """Of dslm: beta^2 = branch-k / layers^branch-alpha, lambda^2 = 1 - beta^2."""
    branch_alpha: float = 1.0
    """See branch-k."""
    correlation: float | None = None
    """Of dslm: correlation of two tokens' embeddings; None: from the corpus. Published: 0.221."""
    legacy_logit_scale: bool = False
    """Of dslm: the published factor before the decoder, right for a dropout of 0.1 alone."""
    length: int = 512
    """Most tokens of a sequence."""
    global_batch: int = 256
    """Sequences a step, of all workers together."""
    micro_batch: int = 32
    """Sequences that go through the network at once."""
    buckets: bool = True
    """Put sequences of about the same length together; no-buckets pads all to the length, as published."""
    steps: int = 488_281
    """Training steps."""
    learning_rate: float = 1e-4
    """Highest learning rate."""
    warmup: float = 0.01
    """Share of the steps over which it rises; then linearly to zero."""
    weight_decay: float = 0.01
    """Not of biases and LayerNorms."""
    clip: float = 1.0
    """Largest total gradient norm; 0: off."""
    precision: Precision = "bf16"
    """Of matrix products; weights and sums are float32 (or float64)."""
    vocab_size: int | None = None
    """Rows of the word table; None: as many as the tokenizer has ids. Published: 30592, a multiple of 128."""
    points: int = 200
    """Points of the training curves."""
    test_points: int = 10
    """How often the test part is gone through."""
    test_samples: int = 12_800
    """Sequences of the test part, at most. Published: 50 batches of 256."""
    legacy_schedule: bool = False
    """Learning rate 0 in the first step, as published."""
    legacy_short: bool = False
    """Short sequences as published: all of even length, some with nothing hidden."""
    workers: int = 1
    """Processes that train one network together, each on its own GPU where there are any."""
    worker_cpus: float = 1.0
    """CPU slots and threads of each."""
    sharding: Sharding = "auto"
    """Of the weights among workers: ddp (each has all), fsdp (each a part), or auto: fsdp where all do not fit."""
    compile: Switch = "auto"
    """torch.compile of the layers; auto: on GPUs."""
    recompute: Switch = "auto"
    """Run layers again in the backward pass instead of keeping what is in them; auto: where memory asks for it."""
    checkpoint_seconds: float = 300.0
    """Save the state of a training about so often; one that is broken off goes on from there."""

    def __post_init__(self):
        self.check_pretraining()

    def check_pretraining(self) -> None:
        """Refuse numbers that do not go together, before anything is planned.

        Raises:
            ValueError: with the option's name and the remedy.
        """
        check_batches(
            length=self.length,
            global_batch=self.global_batch,
            micro_batch=self.micro_batch,
            workers=self.workers,
        )
        if not 0 < self.test_ratio < 1:
            raise ValueError(f"test-ratio is {self.test_ratio}; give a share between 0 and 1")
        if not self.worker_cpus > 0:
            raise ValueError(f"worker-cpus is {self.worker_cpus}; give more than 0")
        self.run_settings()

    def shared_fields(self) -> dict[str, Any]:
        """Fields of `PretrainParams`; what is missing says which job it is, or comes from the documents."""
        return {name: getattr(self, name) for name in _SHARED}

    def network(self, norm: Norm, scheme: Scheme, layers: int) -> DeepBertParams:
        """The network that one training of these options begins with.

        Raises:
            ValueError: sizes that do not go together.
        """
        names = DeepBertParams.__dataclass_fields__.keys() & self.shared_fields().keys()
        given = {name: getattr(self, name) for name in names}
        return DeepBertParams(norm=norm, scheme=scheme, layers=layers, **given)

    def run_settings(self) -> RunSettings:
        """How jobs are run."""
        return RunSettings(
            sharding=self.sharding,
            compile=self.compile,
            recompute=self.recompute,
            checkpoint_seconds=self.checkpoint_seconds,
        )
