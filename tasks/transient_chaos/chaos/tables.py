"""The tables of `chaos`. Growth is in nats per layer (natural logarithms); a layer is one application of the map."""

from collections.abc import Mapping

import pyarrow as pa

from orchestrator.experiment import TableSpec, column

_SENTENCE = column("sentence", pa.int64(), "index of the sentence in the sample")
_LAYER = column("layer", pa.int64(), "layers applied; 0: the embeddings")
_EXPONENT = column("exponent", pa.int64(), "index of the Lyapunov exponent; 1 is the largest")

WINDOWS = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("method", pa.string(), "tangent (exact), or difference: the published finite difference"),
            column(
                "phase",
                pa.string(),
                "random: windows from layer 0, where the direction is random; aligned: from the layer `align` on",
            ),
            _EXPONENT,
            column("start", pa.int64(), "layers applied before the window"),
            column("growth", pa.float64(), "mean logarithmic growth over the window, nats per layer"),
        ]
    ),
    key=("sentence", "method", "phase", "exponent", "start"),
    doc="Finite-time Lyapunov exponents, window by window.",
)
SPECTRUM = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            _EXPONENT,
            column("layers", pa.int64(), "layers averaged over: from `align` to here"),
            column("growth", pa.float64(), "Lyapunov exponent over these layers, nats per layer"),
        ]
    ),
    key=("sentence", "exponent", "layers"),
    doc="Cumulative Lyapunov exponents after alignment, at powers of two and at the end.",
)
CHAOS_LENGTHS = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("method", pa.string(), "tangent or difference"),
            column("phase", pa.string(), "random or aligned, as in windows"),
            column(
                "rule",
                pa.string(),
                "first_nonpositive: start of the first window without growth; last_positive: end of the last with it",
            ),
            column(
                "layers",
                pa.int64(),
                "chaos length in layers from the embeddings, 0 without growth; where censored, the layers looked at",
            ),
            column("censored", pa.bool_(), "whether the sentence was still chaotic at the end of the run"),
        ]
    ),
    key=("sentence", "method", "phase", "rule"),
    doc="Chaos length of each sentence.",
)
OFFSETS = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column(
                "statistic",
                pa.string(),
                "spread: mean over hidden dimensions of the sd over tokens; relative: divided by the sd over hidden "
                "dimensions of the token mean",
            ),
            column("threshold", pa.float64(), "spread below which the tokens count as synchronised"),
            column("rule", pa.string(), "first: first crossing; persistent: below from there to the end"),
            column("layers", pa.int64(), "layers until then; where censored, the layers observed"),
            column("censored", pa.bool_(), "whether that was never observed"),
        ]
    ),
    key=("sentence", "statistic", "threshold", "rule"),
    doc="Synchronisation offset of each sentence's tokens.",
)
LAYERS = TableSpec(
    schema=pa.schema(
        [
            _LAYER,
            column(
                "metric",
                pa.string(),
                "effective_dimension (participation ratio over sentences, all tokens) and effective_dimension_first "
                "(first token alone), no unit; spread_{mean,q10,median,q90} and relative_spread_median over sentences; "
                "sentences (those with finite states)",
            ),
            column("value", pa.float64(), "value of the metric; NaN where undefined, e.g. all sentences in one state"),
        ]
    ),
    key=("layer", "metric"),
    doc="Statistics of the sample of sentences at each layer.",
)
TRAJECTORIES = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("token", pa.int64(), "position of the token"),
            column("dimension", pa.int64(), "hidden dimension"),
            _LAYER,
            column("value", pa.float64(), "component of the state, no unit"),
        ]
    ),
    key=("sentence", "token", "dimension", "layer"),
    doc="Components of the states of the shown sentences.",
)
SPREADS = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            _LAYER,
            column(
                "statistic",
                pa.string(),
                "spread, relative: as in offsets; rms0: root mean square over tokens of the deviation in dimension 0 "
                "alone (the published notebook's)",
            ),
            column("value", pa.float64(), "value of the statistic, no unit"),
        ]
    ),
    key=("sentence", "layer", "statistic"),
    doc="Inter-token deviation of the shown sentences at each layer.",
)
ATTENTION = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("layer", pa.int64(), "layer, from 1: it takes the state of layer - 1"),
            column("head", pa.int64(), "attention head"),
            column("query", pa.int64(), "position of the query"),
            column("key", pa.int64(), "position of the key"),
            column("probability", pa.float64(), "attention probability; sums to 1 over the keys"),
        ]
    ),
    key=("sentence", "layer", "head", "query", "key"),
    doc="Attention maps of the shown sentences.",
)
LOST = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("layer", pa.int64(), "first layer whose state is not finite"),
            column("reason", pa.string(), "NaN or infinite"),
        ]
    ),
    key=("sentence",),
    doc="Sentences whose states ceased to be finite; all other tables leave them out from there on.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("layer_passes", pa.int64(), "layer applications to one sentence, counted while running"),
            column("tangent_passes", pa.int64(), "tangents pushed through one layer of one sentence"),
            column("seconds", pa.float64(), "seconds in the pass"),
            column("tangent_groups", pa.int64(), "groups of sentences whose tangents were in memory together"),
        ]
    ),
    key=(),
    doc="Cost of each job.",
)
SWEEP_TABLES: Mapping[str, TableSpec] = {
    "windows": WINDOWS,
    "spectrum": SPECTRUM,
    "chaos_lengths": CHAOS_LENGTHS,
    "offsets": OFFSETS,
    "layers": LAYERS,
    "trajectories": TRAJECTORIES,
    "spreads": SPREADS,
    "attention": ATTENTION,
    "lost": LOST,
    "costs": COSTS,
}

LONG_WINDOWS = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("start", pa.int64(), "layers applied before the window, including those of the sweep"),
            column(
                "direction",
                pa.string(),
                "along: changes that all tokens share; across: changes with zero mean over the tokens. The largest "
                "across below 0: the tokens stay synchronised",
            ),
            _EXPONENT,
            column("growth", pa.float64(), "mean logarithmic growth over the window, nats per layer"),
        ]
    ),
    key=("sentence", "start", "direction", "exponent"),
    doc="Finite-time Lyapunov exponents of synchronised sentences.",
)
LONG_TRAJECTORIES = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("dimension", pa.int64(), "hidden dimension"),
            column("layer", pa.int64(), "layers applied, including those of the sweep"),
            column("value", pa.float64(), "component of the state, no unit"),
        ]
    ),
    key=("sentence", "dimension", "layer"),
    doc="Components of the one vector that all tokens of a synchronised sentence are.",
)
LONG_STARTS = TableSpec(
    schema=pa.schema(
        [
            _SENTENCE,
            column("spread", pa.float64(), "spread over tokens at the end of the sweep"),
            column("followed", pa.bool_(), "whether the sentence was followed: synchronised, and among the first"),
            column("lost_at", pa.int64(), "first layer whose state is not finite; null: none"),
            column(
                "chaos_layers",
                pa.int64(),
                "layers to the end of the last window with growth along the manifold; 0: none",
            ),
            column("censored", pa.bool_(), "whether the last window still had growth; null: not followed"),
        ]
    ),
    key=("sentence",),
    doc="Sentences that were synchronised at the end of the sweep, and how long the one vector stays chaotic.",
)
LONG_TABLES: Mapping[str, TableSpec] = {
    "long_windows": LONG_WINDOWS,
    "long_trajectories": LONG_TRAJECTORIES,
    "long_starts": LONG_STARTS,
}
