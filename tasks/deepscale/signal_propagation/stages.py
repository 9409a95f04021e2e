"""What the stages of `signal_propagation` take and write: their parameters and their tables. Imports no torch."""

from dataclasses import dataclass

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from orchestrator.limits import Limited, Positive, require
from tasks.deepscale.deep_bert.params import Activation, DeepBertParams
from tasks.deepscale.signal_propagation.config import Batch, Padding, Source

MATRICES = ("qk", "v", "out", "up", "down")
THEORIES = ("theory", "theory_free", "theory_published")
"""Columns of the forms of the theory: from the same start as measured, from no measurement, in the published form."""


@dataclass(frozen=True, kw_only=True)
class _Text(Limited):
    source: Source
    """`text`: the corpus, in the job `documents`; `zipf`, `uniform`: random tokens of that law."""
    corpus: str = ""
    """Name of the corpus; empty for random tokens."""
    tokenizer: str = ""
    """Identity of the tokenizer; empty for random tokens."""


@dataclass(frozen=True, kw_only=True)
class _Draws(Limited):
    seed: int
    """Random seed of weights, sequences, masked tokens and dropout."""


@dataclass(frozen=True, kw_only=True)
class SignalParams(Padding, _Draws, Batch, _Text, DeepBertParams):
    """A network with its initial weights, and the one batch that goes through it (README 2)."""

    def __post_init__(self):
        super().__post_init__()
        require(self.source in ("text", "zipf", "uniform"), "source", self.source, "text, zipf or uniform")
        fine = self.source == "text" or self.vocab_size is not None
        require(fine, "vocab_size", self.vocab_size, f"the number of random tokens of the source {self.source}")


@dataclass(frozen=True, kw_only=True)
class DepthRuleParams(Limited):
    """A grid of DeepScaleLM networks of one depth that only the theory goes through (README 2)."""

    layers: Positive
    """Number of layers."""
    width: Positive
    """Hidden size."""
    heads: Positive
    """Attention heads."""
    tokens: Positive
    """Tokens of a sequence."""
    activation: Activation = "relu"
    """Activation of the MLPs."""
    ks: tuple[float, ...]
    """Values of k in beta^2 = k / layers^alpha."""
    alphas: tuple[float, ...]
    """Values of alpha."""
    dropouts: tuple[float, ...]
    """Dropout rates of branches and attention."""
    correlations: tuple[float, ...]
    """Correlations of two tokens' embeddings before dropout."""
    top_correlations: tuple[float, ...]
    """Correlations of the gradients of two tokens at the top."""


LAYERS = TableSpec(
    schema=pa.schema(
        [
            column(
                "layer", pa.int64(), "0: the embeddings behind dropout; n: behind layer n, or the weights of layer n"
            ),
            column(
                "quantity",
                pa.string(),
                "variance and correlation (of two tokens, not centred) of the residual stream; gradient_variance (mean "
                "square) and gradient_correlation of the loss's gradient there; weight_norm: L2 norm of the gradient "
                "of a layer's five matrices, not clipped; weight_norm_qk (queries and keys), _v, _out, _up, _down: of "
                "one matrix; weight_profile: weight_norm relative to the last layer's; published_norm: root of the "
                "sum of Adam's second moments after one step with clipping, which the published figures show",
            ),
            column("measured", pa.float64(), "value in one forward and one backward pass"),
            column(
                "theory",
                pa.float64(),
                "the recursion of moments from the measured variance and correlation of the embeddings and of the "
                "gradient at the top; null where there is none",
            ),
            column(
                "theory_free",
                pa.float64(),
                "the recursion from the weights' standard deviations and the batch's shares of equal tokens and "
                "segments alone, gradients independent at the top; gradient_variance is scaled to the measured top",
            ),
            column("theory_published", pa.float64(), "as theory, with the published gradient of attention"),
        ]
    ),
    key=("layer", "quantity"),
    doc="Each layer's moments, measured and in theory.",
)
RUNS = TableSpec(
    schema=pa.schema(
        [
            column("loss", pa.float64(), "loss of masked tokens and sentence order, nats"),
            column("total_norm", pa.float64(), "L2 norm of the gradient of all parameters"),
            column("embedding_variance", pa.float64(), "V_0, measured"),
            column("embedding_variance_free", pa.float64(), "3 s^2 / (1 - p), s the tables' standard deviation"),
            column("embedding_correlation", pa.float64(), "r_0, measured"),
            column("embedding_correlation_free", pa.float64(), "(1 - p) (same_token + same_segment) / 3"),
            column("top_gradient_correlation", pa.float64(), "r_g behind the last layer, measured"),
            column("same_token", pa.float64(), "share of the batch's pairs of tokens that are equal"),
            column("same_segment", pa.float64(), "share of the pairs that are in one segment"),
            column("tokens", pa.int64(), "tokens of the batch, without padding"),
            column("tokens_a_sequence", pa.float64(), "mean over tokens of the length of their sequence"),
            column("skip_sq", pa.float64(), "lambda^2"),
            column("branch_sq", pa.float64(), "beta^2"),
            column("parameters", pa.int64(), "number of parameters"),
            column("recomputed", pa.bool_(), "whether layers ran again in the backward pass, to save memory"),
            column("signal_seconds", pa.float64(), "seconds of both passes"),
            column("theory_seconds", pa.float64(), "seconds of the three recursions"),
        ]
    ),
    key=(),
    doc="One row a network: loss, gradient norm, moments at the ends, cost.",
)
RULE = TableSpec(
    schema=pa.schema(
        [
            column("norm", pa.string(), "pre or post"),
            column("k", pa.float64(), "k in beta^2 = k / layers^alpha"),
            column("alpha", pa.float64(), "alpha in beta^2 = k / layers^alpha"),
            column("dropout", pa.float64(), "dropout rate of branches and attention"),
            column("correlation", pa.float64(), "correlation of two tokens' embeddings before dropout"),
            column("top_rg", pa.float64(), "correlation of the gradients of two tokens at the top"),
            column("branch_sq", pa.float64(), "beta^2"),
            column("branch_share", pa.float64(), "share of the final stream that branches wrote"),
            column("var_min", pa.float64(), "least variance of the stream behind a layer"),
            column("var_max", pa.float64(), "greatest variance of the stream behind a layer"),
            column("last_r", pa.float64(), "correlation of two tokens behind the last layer"),
            column("gradient_gain", pa.float64(), "the gradient's variance at the embeddings over that at the top"),
            column("profile_min", pa.float64(), "least weight-gradient norm of a layer, relative to the last one's"),
            column("profile_max", pa.float64(), "greatest weight-gradient norm of a layer, relative to the last one's"),
        ]
    ),
    key=("norm", "k", "alpha", "dropout", "correlation", "top_rg"),
    doc="Moments of DeepScaleLM networks in theory, over a grid of settings.",
)

SIGNALS = Stage(
    name="signals",
    function="tasks.deepscale.signal_propagation.signals:signals",
    params=SignalParams,
    tables={"layers": LAYERS, "runs": RUNS},
    resources=Resources(num_cpus=1, num_gpus=1),
)
DEPTH_RULE = Stage(
    name="depth_rule",
    function="tasks.deepscale.signal_propagation.theory:depth_rule",
    params=DepthRuleParams,
    tables={"depth_rule": RULE},
)
