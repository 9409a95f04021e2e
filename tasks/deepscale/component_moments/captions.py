"""What each figure and summary table of `component_moments` shows, in the words that stand below it."""

_BIAS = (
    "Signed relative bias: (measured - predicted) / |predicted|, where zero is predicted in units of the predicted "
    "standard deviation (means) or variance (covariances)."
)
_FORMS = (
    "Published: the published closed form. Exact: exact, or for attention, softmax and blocks the best one known. "
    "Where both are one form they coincide."
)

CAPTIONS = {
    "errors": (
        f"|bias| over grid points: median (mark) and 10th to 99th percentile (bar), in percent. {_FORMS} Grey tick: "
        "median standard error of the simulation in the same unit; a form is wrong only where its error is far to the "
        "right of it. Smaller values than 10^-5 % are drawn there; values that are not finite are left out."
    ),
    "agreement": (
        "Each grid point: measured moment against the exact (or best known) form, absolute values, logarithmic axes. "
        "Dotted: equal. Points that scaling maps onto each other share one simulation; at most 1,500 of a component "
        "are drawn, evenly; moments predicted to be zero are left out."
    ),
    "attention_tail": (
        "Error of the variance of the gradient behind one attention head: the share of grid points of the published "
        "grid (of all where it was not asked for) whose error is above the value, in the published metric. Crosses: "
        "the published percentiles 50, 90 and 99. The published form leaves out the gradient's way through query and "
        "key; what remains of the exact form's is the simulation's noise."
    ),
    "correlations": (
        "Correlation of two tokens behind ReLU and behind a feed-forward block (before dropout), against that before: "
        "exact curve, published polynomial, and simulation (of the block without what dropout takes): mean and "
        "95 % interval (Student) over grid points of that correlation. "
        "Below: polynomial and simulation less the exact curve."
    ),
    "percentiles": (
        "The published error metric over the grid, in percent, nearest rank, beside the published percentiles. Rows "
        "with published_grid use only points of the published grid. The metric depends on units where zero is "
        "predicted, and the number of trials shapes all of it: compare with the preset legacy, whose trials are those "
        "of the published runs."
    ),
    "biases": (
        f"{_BIAS} Percentiles of its absolute value over grid points in percent, and its median with sign; noise: "
        f"median standard error in the same unit. z: (measured - predicted) / standard error; its root mean square is "
        f"about 1 where a form is exact. {_FORMS} Points that are not finite are counted and left out."
    ),
    "costs": "Work of the jobs of each component. Grid points that only a scale tells apart share a simulation.",
}
