"""What the stages of `signal_propagation` take and write: their parameters and their tables. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from orchestrator.experiment import Resources, Stage, TableSpec, column
from tasks.deepscale.deep_bert.params import Activation, DeepBertParams
from tasks.deepscale.pretraining_text.checks import check_batches

Source = Literal["text", "zipf", "uniform"]
MATRICES = ("qk", "v", "out", "up", "down")


@dataclass(frozen=True, kw_only=True)
class SignalParams(DeepBertParams):
    """A network with its initial weights, and the one batch that goes through it (dslm 2.1)."""

    source: Source
    """`text`: the corpus, in the job `documents`; `zipf`, `uniform`: random tokens of that law."""
    corpus: str = ""
    """Its name; empty for random tokens."""
    tokenizer: str = ""
    length: int = 256
    """Tokens of a sequence, special ones and padding included."""
    batch: int = 8
    """Sequences."""
    vocab_size: int | None = None
    """Rows of the word table, and random ids; None: as many as the tokenizer has."""
    seed: int
    """Of weights, sequences, masked pieces and dropout."""
    legacy_padding: bool = False
    """Count padding into the moments, as published (dslm 5, quirk 10)."""

    def __post_init__(self):
        super().__post_init__()
        check_batches(length=self.length, global_batch=self.batch, micro_batch=self.batch)
        if self.source not in ("text", "zipf", "uniform"):
            raise ValueError(f"source is {self.source!r}; choose text, zipf or uniform")
        if self.source != "text" and self.vocab_size is None:
            raise ValueError(f"the source {self.source} needs a vocab_size, the number of ids that are drawn")


@dataclass(frozen=True, kw_only=True)
class DepthRuleParams:
    """A grid of DeepScaleLM networks of one depth that only the theory goes through (dslm 3.3)."""

    layers: int
    width: int
    heads: int
    tokens: int
    """Of a sequence."""
    activation: Activation = "relu"
    ks: tuple[float, ...]
    alphas: tuple[float, ...]
    dropouts: tuple[float, ...]
    correlations: tuple[float, ...]
    top_correlations: tuple[float, ...]

    def __post_init__(self):
        for name in ("layers", "width", "heads", "tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")


LAYERS = TableSpec(
    schema=pa.schema(
        [
            column("layer", pa.int64(), "0: the embeddings, behind dropout; n: behind layer n, or the weights of it"),
            column(
                "quantity",
                pa.string(),
                "variance and correlation (of two tokens, not centred) of the residual stream; gradient_variance (mean "
                "square) and gradient_correlation of the loss's gradient there; weight_norm: L2 norm of the gradient "
                "of a layer's five matrices, not clipped; weight_norm_qk (queries and keys), _v, _out, _up, _down: of "
                "single ones; weight_profile: weight_norm relative to the last layer's; published_norm: root of the "
                "sum of Adam's second moments after one step with clipping, which the published figures show",
            ),
            column("measured", pa.float64(), "in one forward and one backward pass"),
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
    doc="Every layer's moments, measured and as the theory has them.",
)
RUNS = TableSpec(
    schema=pa.schema(
        [
            column("loss", pa.float64(), "masked pieces and sentence order, nats"),
            column("total_norm", pa.float64(), "L2 norm of the gradient of all parameters"),
            column("embedding_variance", pa.float64(), "V_0, measured"),
            column("embedding_variance_free", pa.float64(), "3 s^2 / (1 - p), s the tables' standard deviation"),
            column("embedding_correlation", pa.float64(), "r_0, measured"),
            column("embedding_correlation_free", pa.float64(), "(1 - p) (same_token + same_segment) / 3"),
            column("top_gradient_correlation", pa.float64(), "behind the last layer, measured"),
            column("same_token", pa.float64(), "share of the batch's pairs of tokens that are equal"),
            column("same_segment", pa.float64(), "share of the pairs that are in one segment"),
            column("tokens", pa.int64(), "of the batch, without padding"),
            column("tokens_a_sequence", pa.float64(), "mean over tokens of the length of their sequence"),
            column("skip_sq", pa.float64(), "lambda^2"),
            column("branch_sq", pa.float64(), "beta^2"),
            column("parameters", pa.int64(), "weights"),
            column("recomputed", pa.bool_(), "whether layers ran again in the backward pass, to save memory"),
            column("signal_seconds", pa.float64(), "seconds of both passes"),
            column("theory_seconds", pa.float64(), "seconds of the three recursions"),
        ]
    ),
    key=(),
    doc="What is one number a network.",
)
RULE = TableSpec(
    schema=pa.schema(
        [
            column("norm", pa.string(), "pre or post"),
            column("k", pa.float64(), "beta^2 = k / layers^alpha"),
            column("alpha", pa.float64(), "see k"),
            column("dropout", pa.float64(), "p, of branches and attention"),
            column("correlation", pa.float64(), "of two tokens' embeddings before dropout"),
            column("top_rg", pa.float64(), "correlation of the gradients of two tokens at the top"),
            column("branch_sq", pa.float64(), "beta^2"),
            column("branch_share", pa.float64(), "share of the final stream that branches wrote"),
            column("var_min", pa.float64(), "least variance of the stream behind a layer"),
            column("var_max", pa.float64(), "greatest"),
            column("last_r", pa.float64(), "correlation of two tokens behind the last layer"),
            column("gradient_gain", pa.float64(), "the gradient's variance at the embeddings over that at the top"),
            column("profile_min", pa.float64(), "least weight-gradient norm of a layer, relative to the last one's"),
            column("profile_max", pa.float64(), "greatest"),
        ]
    ),
    key=("norm", "k", "alpha", "dropout", "correlation", "top_rg"),
    doc="DeepScaleLM of one depth as the theory has it, over a grid of settings.",
)

SIGNALS = Stage(
    name="signals",
    function="tasks.deepscale.signal_propagation.stage:signals",
    params=SignalParams,
    tables={"layers": LAYERS, "runs": RUNS},
    resources=Resources(num_cpus=1, num_gpus=1),
)
DEPTH_RULE = Stage(
    name="depth_rule",
    function="tasks.deepscale.signal_propagation.depth_rule:depth_rule",
    params=DepthRuleParams,
    tables={"depth_rule": RULE},
)
