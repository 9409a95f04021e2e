"""Which network is pretrained, on what and how: groups of settings, each declared once. Imports no torch.

The parameters of jobs (`DeepBertParams`, and `PretrainParams` in `stages`) inherit the groups, and so does
`PretrainingOptions`, which the Configs of experiments inherit.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from orchestrator.limits import (
    AboveZero,
    Limited,
    NotNegative,
    Positive,
    Probability,
    Several,
    Share,
    ZeroOrMore,
    require,
    shared,
)
from tasks.deepscale.pretraining_text.plan import MIN_LENGTH, DocumentLimit, check_batches
from tasks.encoders.options import SeveralInts

Norm = Literal["pre", "post"]
Scheme = Literal["vanilla", "xavier", "dslm"]
Activation = Literal["relu", "gelu"]
Precision = Literal["float32", "bf16", "float64"]
Sharding = Literal["auto", "ddp", "fsdp"]
Switch = Literal["auto", "on", "off"]


@dataclass(frozen=True, kw_only=True)
class _Variant(Limited):
    norm: Norm
    """Placement of the LayerNorms: `pre` or `post` (README 3)."""
    scheme: Scheme
    """Initialisation: `vanilla` N(0, 0.02^2), `xavier`, or `dslm` (DeepScaleLM), which also scales the residual stream
    (README 3)."""
    layers: Positive = 12


@dataclass(frozen=True, kw_only=True)
class Sizes(Limited):
    """Width of a network."""

    width: Positive = 768
    """Hidden size."""
    heads: Positive = 12
    """Attention heads."""
    intermediate: NotNegative = 0
    """Hidden size of the MLPs; 0: four times the width."""
    activation: Activation = "relu"
    """Activation of the MLPs. Published: relu."""


@dataclass(frozen=True, kw_only=True)
class Dropout(Limited):
    """Dropout in training."""

    dropout: Probability = 0.1
    """Dropout of embeddings and residual branches."""
    attention_dropout: Probability = 0.1
    """Dropout of attention probabilities."""


@dataclass(frozen=True, kw_only=True)
class Scaling(Limited):
    """DeepScaleLM's scales."""

    branch_k: AboveZero = 2.0
    """DeepScaleLM's residual scaling: beta^2 = branch-k / layers^branch-alpha, lambda^2 = 1 - beta^2."""
    branch_alpha: float = 1.0
    """Exponent of the number of layers in beta^2."""
    correlation: Share | None = None
    """DeepScaleLM: correlation of two tokens' embeddings before dropout; None: from the corpus. Published: 0.221."""
    legacy_logit_scale: bool = False
    """DeepScaleLM: the published factor before the decoder, right for a dropout of 0.1 alone."""


@dataclass(frozen=True, kw_only=True)
class Network(Scaling, Dropout, Sizes):
    """A network of any depth."""


@dataclass(frozen=True, kw_only=True)
class DeepBertParams(Network, _Variant):
    """A network before its first step. Vocabulary and maximum length come from the data."""

    norm_eps: AboveZero = 1e-5

    def __post_init__(self):
        super().__post_init__()
        require(self.width % self.heads == 0, "heads", self.heads, f"a number that divides the width {self.width}")
        if self.scheme == "dslm":
            beta_sq = f"beta^2 = branch-k / {self.layers}^{self.branch_alpha:g}"
            fine = self.branch_k < self.layers**self.branch_alpha
            require(fine, "branch_k", self.branch_k, f"less, or more layers: {beta_sq} must be below 1")

    @property
    def mlp_width(self) -> int:
        return self.intermediate or 4 * self.width

    @property
    def variant(self) -> str:
        """`post-LN dslm`, in words for figures."""
        return f"{self.norm}-LN {self.scheme}"


@dataclass(frozen=True, kw_only=True)
class Training(Limited):
    """What a training step reads, and how large it is."""

    length: Annotated[int, Ge(MIN_LENGTH)] = 512
    """Maximum sequence length in tokens, and the number of positions."""
    global_batch: Positive = 256
    """Batch size in sequences, over all workers."""
    micro_batch: Positive = 32
    """Sequences that pass the network together. It is part of the numbers: losses are means over these."""
    buckets: bool = True
    """Batch sequences of similar length together; no-buckets pads all to the length, as published."""
    steps: Positive = 488_281
    """Training steps."""
    learning_rate: AboveZero = 1e-4
    """Peak learning rate."""
    warmup: Probability = 0.01
    """Fraction of the steps with linear warm-up; then linear decay to zero."""
    weight_decay: ZeroOrMore = 0.01
    """Decoupled weight decay, not on biases and LayerNorms."""

    def __post_init__(self):
        super().__post_init__()
        check_batches(length=self.length, global_batch=self.global_batch, micro_batch=self.micro_batch)


@dataclass(frozen=True, kw_only=True)
class Arithmetic(Limited):
    """Clipping, precision and padding of the vocabulary."""

    clip: ZeroOrMore = 1.0
    """Maximum total gradient norm; 0: no clipping."""
    precision: Precision = "bf16"
    """Precision of matrix products; all else is float32 (or float64). bf16 kernels need not be deterministic."""
    vocab_size: Positive | None = None
    """Rows of the embedding matrix; None: the tokenizer's vocabulary. Published: 30592, a multiple of 128."""


@dataclass(frozen=True, kw_only=True)
class Evaluation(Limited):
    """What is reported of a training, and what of it is as published."""

    points: Positive = 200
    """Maximum number of points of a training curve."""
    test_points: Positive = 10
    """Evaluations on the test part, the last one at the end."""
    test_samples: Positive = 12_800
    """Maximum number of test sequences, each evaluated once. Published: 50 batches of 256."""
    legacy_schedule: bool = False
    """Learning rate 0 in the first step, as published."""
    legacy_short: bool = False
    """Short sequences as published: all of even length, some without a masked token."""


@dataclass(frozen=True, kw_only=True)
class RunSettings(Limited):
    """How a job is run; no number of it depends on these but for rounding. They travel in `Job.paths`, as texts."""

    sharding: Sharding = "auto"
    """Sharding of weights and optimiser state over workers: ddp (none), fsdp, or auto: fsdp where they do not fit."""
    compile: Switch = "auto"
    """torch.compile of the layers; auto: on GPUs."""
    recompute: Switch = "auto"
    """Activation checkpointing: layers run again in the backward pass; auto: where memory is short."""
    checkpoint_seconds: ZeroOrMore = 300.0
    """Seconds between checkpoints; an interrupted training resumes from the latest."""

    def as_paths(self) -> dict[str, str]:
        return {field.name: str(getattr(self, field.name)) for field in fields(RunSettings)}

    @staticmethod
    def of(paths: Mapping[str, str]) -> "RunSettings":
        given = {name: paths[name] for name in ("sharding", "compile", "recompute") if name in paths}
        seconds = float(paths.get("checkpoint_seconds", RunSettings.checkpoint_seconds))
        return RunSettings(**given, checkpoint_seconds=seconds)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, kw_only=True)
class _Corpus(DocumentLimit):
    corpus: str = "wikipedia"
    """Text: wikipedia (the hub's), builtin (Python's own documentation), a directory of text, or a text file."""
    tokenizer: str = "google-bert/bert-base-uncased"
    """Tokenizer: a hub name, a directory, or builtin."""
    test_ratio: Annotated[float, Gt(0), Lt(1)] = 0.01
    """Fraction of the documents held out for testing, of a corpus without splits. Published: 10 of 1,000."""


@dataclass(frozen=True, kw_only=True)
class PretrainingOptions(RunSettings, Evaluation, Arithmetic, Training, Network, _Corpus):
    """The published pretraining of BERT-base (README 4) unless something else is said."""

    norms: Several[Norm] = ("post",)
    """Placement of the LayerNorms of the networks to pretrain: pre, post. Published: post."""
    schemes: Several[Scheme] = ("vanilla", "dslm")
    """Initialisation: vanilla (N(0, 0.02^2), published), xavier, dslm (DeepScaleLM, scales the residual stream too)."""
    layers: Annotated[SeveralInts, Ge(1)] = (12,)
    """Numbers of layers."""
    workers: Positive = 1
    """Processes that train one network together, each on its own GPU where there are any."""
    worker_cpus: AboveZero = 1.0
    """CPU slots and threads of each worker."""

    def __post_init__(self):
        super().__post_init__()
        check_batches(**{name: getattr(self, name) for name in ("length", "global_batch", "micro_batch", "workers")})

    def networks(self) -> Iterator[DeepBertParams]:
        """Every network of these options, by depth, norm and scheme.

        Raises:
            ValueError: sizes that do not go together.
        """
        for layers in self.layers:
            for norm in self.norms:
                for scheme in self.schemes:
                    yield DeepBertParams(norm=norm, scheme=scheme, layers=layers, **shared(self, DeepBertParams))
