"""What the tables and figures of the statistics show, in sentences."""

from tasks.attention.learning.labels import Labels


def captions(labels: Labels) -> dict[str, str]:
    """By name of a table, or the part of a figure's name before the data set."""
    items = f"{labels.item}s"
    return {
        "learning": (
            f"How attention is learned. Agreement A(u, v), mean over {items}: alpha of the comparison runs at each "
            "checkpoint with alpha of the gold run at its best one (thick; thin: each run, the spread over "
            "which is the only one shown; grey dashes: the expectation when scores are shuffled), beta of the "
            "uniform run at each checkpoint with the gold run's alpha and with the proxies, beta of run B with the "
            "gold run's alpha. Dotted, right axis: performance of the comparison runs, their mean. Steps are "
            "updates, linear up to the first checkpoint after 0 and logarithmic from there."
        ),
        "agreement": (
            f"The agreements of the published dictionary, mean over {items}, the largest over checkpoints. Black "
            "ticks: the expectation of the same comparison when scores are shuffled; the dashed line is the published "
            "baseline (alpha with alpha). Diamonds: checkpoints chosen on half a, agreement on half b. Cross: the "
            "published sign of Delta (classification). Stars: printed by the authors for the same data set; rings: "
            "for the other data sets of the task. There is one gold run, so no interval is shown."
        ),
        "crossing": (
            "xi: performance of the comparison runs (mean) at the first checkpoint whose alpha agrees with the gold "
            "run's best better than each agreement does; a triangle on the line is a xi that is never reached. The "
            "line is the best performance of the gold run. Diamonds: the held-out variant (its line dashed), stars: "
            "printed by the authors for the same data set. Read off the grid of checkpoints, so that noise at early "
            "ones can trigger it. There is one xi a data set, so no interval is shown."
        ),
        "dictionary": (
            "The published dictionary of statistics. value, step: as published, with the correct sign of Delta. "
            "held_out: checkpoints chosen on half a, values of half b. legacy_sign: the published sign of Delta, "
            "where it changes anything. published: printed by the authors for this data set (top-5 % match, early "
            "runs). A xi without value and step is never reached."
        ),
        "curves": (
            "Agreement of alpha with the gold run's best (at gold_step) at each checkpoint, and performance: means "
            "over comparison runs, with Student's 95 % interval of the agreement over them (none for one) and its "
            "expectation after shuffling."
        ),
        "runs": "Each run's best checkpoint (the first of equals; the lowest for perplexity) and its last, all items.",
        "undefined": (
            f"Comparisons of a {labels.item}, added up over checkpoints and runs, and how many are undefined: NaN on "
            "a side, for Kendall's tau also constant scores."
        ),
    }
