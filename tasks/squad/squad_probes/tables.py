"""What the stages of `squad_probes` write: the columns of their tables."""

import pyarrow as pa

from orchestrator.experiment import TableSpec, column

_PROBE = (
    column("level", pa.int64(), "0: embedding output, l: output of layer l"),
    column("solver", pa.string(), "adam: the published optimiser; lbfgs: to convergence"),
    column("learning_rate", pa.float64(), "of adam; 0 with lbfgs"),
    column("l2", pa.float64(), "lambda of lbfgs; 0 with adam"),
    column("seed", pa.int64(), "of first weights and dropout; lbfgs has no randomness and stands under 0"),
    column("epoch", pa.int64(), "of adam, from 1; 0 with lbfgs"),
)
PROBE_KEY = tuple(f.name for f in _PROBE)

CURVES = TableSpec(
    schema=pa.schema(
        [
            column("level", pa.int64(), "0: embedding output, l: output of layer l"),
            column("learning_rate", pa.float64(), "constant"),
            column("seed", pa.int64(), "of first weights and dropout"),
            column("step", pa.int64(), "training steps done"),
            column("epoch", pa.float64(), "training steps done over steps an epoch"),
            column("loss", pa.float64(), "mean of (start + end)/2 cross entropies since the previous point, nats"),
        ]
    ),
    key=("level", "learning_rate", "seed", "step"),
    doc="Training curves of the probes trained with Adam.",
)
SOLUTIONS = TableSpec(
    schema=pa.schema(
        [
            column("level", pa.int64(), "0: embedding output, l: output of layer l"),
            column("l2", pa.float64(), "lambda"),
            column("head", pa.string(), "start or end"),
            column("loss", pa.float64(), "mean cross entropy at the solution, nats"),
            column("objective", pa.float64(), "loss + lambda/2 |w|^2, nats"),
            column("gradient", pa.float64(), "largest absolute entry of the objective's gradient"),
            column("iterations", pa.int64(), "L-BFGS iterations"),
            column("converged", pa.bool_(), "whether the gradient came below the tolerance"),
        ]
    ),
    key=("level", "l2", "head"),
    doc="How each convex problem was solved.",
)
WEIGHTS = TableSpec(
    schema=pa.schema(
        [
            *_PROBE,
            column("head", pa.string(), "start or end"),
            column("norm", pa.float64(), "L2 norm of the head's weights"),
        ]
    ),
    key=(*PROBE_KEY, "head"),
    doc="Norms of the probes' weights: those that still grow have not converged.",
)
COSTS = TableSpec(
    schema=pa.schema(
        [
            column("n_windows", pa.int64(), "windows"),
            column("n_probes", pa.int64(), "probes a level: learning rates times seeds, or strengths of L2"),
            column("n_levels", pa.int64(), "levels, L + 1"),
            column("layer_passes", pa.int64(), "forward layer applications to one window, counted while running"),
            column("encoder_seconds", pa.float64(), "seconds in the encoder"),
            column("probe_seconds", pa.float64(), "seconds in training, or in logits and span search"),
        ]
    ),
    key=(),
    doc="Passes and seconds.",
)
SCORES = TableSpec(
    schema=pa.schema(
        [
            *_PROBE,
            column("decoder", pa.string(), "proper: squad_probes 7b, exhaustive; legacy: 7a, as published"),
            column("part", pa.string(), "all dev questions, or first_half and second_half of the articles"),
            column(
                "metric",
                pa.string(),
                "in percent: exact, f1 (all), has_exact, has_f1 (answerable), no_exact (unanswerable; = F1); "
                "forced_has_exact, forced_has_f1 (an answer is always given); best_exact, best_f1 (best threshold, "
                "chosen on these questions); cross_exact, cross_f1 (threshold chosen on the other half); exact_se, "
                "f1_se (standard errors by paragraph). best_exact_threshold, best_f1_threshold; "
                "null_average_precision (percent); loss (dev cross entropy of the probe's own softmax, nats)",
            ),
            column("value", pa.float64(), "value; NaN where there is no question of the kind"),
        ]
    ),
    key=(*PROBE_KEY, "decoder", "part", "metric"),
    doc="EM and F1 of each probe.",
)
BASELINES = TableSpec(
    schema=pa.schema(
        [
            column("part", pa.string(), "all, first_half or second_half"),
            column("metric", pa.string(), "questions, answerable, windows (counts); always_null (EM = F1, percent)"),
            column("value", pa.float64(), "value"),
        ]
    ),
    key=("part", "metric"),
    doc="The dev questions, and the score of never answering.",
)
