"""What each figure and summary table of `dynamical_isometry` shows, in the words that stand below it."""

_BLOCKS = (
    "Singular values of the blocks d h_j[t] / d h_i[w]: diagonal the one of the output's own position (w = t), which "
    "the residual stream carries, off-diagonal those of the other words."
)
_NULLS = (
    "Structurally null values, two of each block where level j is the output of a LayerNorm, are left out; null_max is "
    "the largest of them."
)
_SEEDS = (
    "Mean over seeds, 95 % interval (Student). A seed draws sentences, positions, and the weights of a random encoder."
)

CAPTIONS = {
    "log_singular_values": (
        f"{_BLOCKS} Density of the natural logarithm over all sentences, positions and seeds together, in bins of 0.1; "
        f"the dashed line is an isometry (sigma = 1). {_NULLS} Values of 0 and NaN are left out."
    ),
    "published": (
        "As published: natural logarithms of the singular values of all blocks together, structurally null ones too "
        "(the bump far to the left, which is rounding). How much the diagonal block weighs depends on the length of "
        "the sentences."
    ),
    "levels": (
        f"{_BLOCKS} Mean of ln sigma between level 0, or the lowest level asked for, and each higher one. Band: 95 % "
        "interval (Student) over seeds. The dashed line is an isometry."
    ),
    "level_pairs": "Mean of ln sigma of the diagonal blocks, for all pairs of levels; mean over seeds.",
    "spectra": (
        f"{_BLOCKS} whole: position 0 with respect to all words together. Mean over sentences of each sentence's "
        f"statistic, in each seed. {_SEEDS} {_NULLS}"
    ),
    "beside": f"The same, pretrained beside random, and their difference. {_SEEDS}",
    "costs": (
        "Work of the jobs of each line: forward layer applications to a sentence, vector-Jacobian products, blocks "
        "decomposed, seconds."
    ),
    "pretraining": "The model small on the test part, at the end of its pretraining.",
}
