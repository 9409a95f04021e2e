"""What each figure and summary table of `signal_propagation` shows, in the words that stand below it."""

_SEEDS = (
    "Mean over seeds, band: Student's 95 % interval; a seed draws weights, sequences, masked pieces and dropout. Means "
    "of gradients and norms are geometric. Values that are not finite are left out and counted in the table."
)
_THEORY = (
    "Dashed: the recursion of moments from the measured variance and correlation of the embeddings and of the gradient "
    "at the top. Dotted: the same from the weights' standard deviations and the shares of equal tokens and segments."
)

CAPTIONS = {
    "signals": (
        f"The residual stream behind each layer and the loss's gradient there, in one pass in training mode. {_SEEDS} "
        f"{_THEORY} Grey: with the published gradient of attention, without its way through queries and keys. "
        "Theory is for wide networks: at a width H a network's variances scatter by about sqrt(2/H). It is of means: "
        "where gradients shrink layer by layer (post-LN Xavier), a typical narrow network's shrink faster than means."
    ),
    "published": (
        "The quantities of the six published figures. Weight gradients: norm of the five matrices' gradient of a layer "
        "as it stands in Adam's state after one step with clipping at 1. "
        f"{_SEEDS} {_THEORY} Of norms the theory has the shape alone: it is brought to the measured geometric mean. "
        "Grey: the curve that the published code draws through the measured last value (variance) or first value "
        "(norms). Points, where depth, heads, dropout and activation are the published ones: read off the published "
        "figures, whose width is 1,024, one seed."
    ),
    "depth_rule": (
        "Theory alone, DeepScaleLM with beta^2 = k / layers^alpha at the largest k and first correlation asked for. "
        "With dropout gradients stay bounded through depth from alpha = 1 on; below, they vanish, and above, branches "
        "write ever less of the stream. Points with beta^2 of 1 or more are left out; values below 1e-8 are not drawn."
    ),
    "curves": f"Each layer's moments. {_SEEDS} theory, theory_free, theory_published: means of the three recursions.",
    "errors": (
        "Measurement against each form of the theory, over layers and seeds together: measured / theory - 1 in "
        "percent, of correlations the difference. bias: the median with its sign; median and p90 of the size. Norms of "
        "single matrices scatter most: they hang on how gradients of a few sequences add up. weight_profile is "
        "relative to the last layer, so the last layer's scatter is in all of it."
    ),
    "slopes": (
        "One number a curve: mean over seeds, low and high Student's 95 % interval; the theory from the same ends; the "
        "number read off the published figure (width 1,024, 192 layers). variance_slope: a layer, least squares. "
        "norm_exponent: d ln(weight norm) / d ln(layer). norm_factor: by how much the weight norm grows a layer. "
        "norm_range: greatest over least weight norm. bottom_gradient: variance at the embeddings over that at the top."
    ),
    "runs": "One number a network: mean over seeds, and how many seeds' loss was finite.",
    "depth_rule_grid": "The theory's grid of DeepScaleLM networks: all points of the figure, and all k.",
}
