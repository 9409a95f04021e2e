"""What each figure and summary table of `gradient_confusion` shows, in the words that stand below it."""

_SEEDS = (
    "Mean over seeds, 95 % interval (Student). A seed draws the batches and the classifier, and all weights of a "
    "random encoder. Pairs within a seed share gradients and are no sample, so they do not enter the interval."
)
_REGRESSION = (
    "Of a regression (STS-B, similarity) a new head's output is near 0 and all targets are above: the mean error "
    "dominates every gradient, and cosines near 1 tell nothing of the network."
)

CAPTIONS = {
    "cosine_boxes": (
        "Cosine of the gradients of any two batches, with respect to all parameters, before training. Boxes: "
        "quartiles, whiskers from minimum to maximum, line median, dashed line mean; the pairs of all seeds together, "
        f"as published, so that a box shows a spread and no uncertainty. {_REGRESSION} Cosines that are NaN are left "
        "out."
    ),
    "confusion": (
        "Share of pairs whose cosine is at most the value on the axis: at -eta it is P(cos < -eta), the confusion of "
        "the gradients. Thick: mean over seeds; thin: each seed. Left of 0 a step on one batch makes the other's loss "
        f"larger. {_REGRESSION} Cosines that are NaN are left out."
    ),
    "similarity_over_seeds": (
        f"Minimum, median, mean and negative share of the cosines over all pairs. {_SEEDS} within_error: mean of the "
        "standard errors within a seed (jackknife over gradients), where there is one."
    ),
    "beside": f"The same, pretrained beside random, and their difference. {_SEEDS}",
    "gradients": f"Loss of the batches (nats; squared scores of a regression) and length of their gradients. {_SEEDS}",
    "costs": (
        "Work of the jobs of each line: gradients computed, numbers of a gradient and those kept (rows of the word "
        "table that no batch reads are exactly 0), the most bytes of gradients in memory, jobs whose gradients went "
        "through a file, passes and seconds."
    ),
    "pretraining": "The model small on the test part, at the end of its pretraining.",
}
