"""What each figure and summary table of `layernorm_lipschitz` shows, in the words that stand below it."""

_SIGMA = "sigma is the spread over features of what enters a LayerNorm, sqrt(biased variance + its eps)."
_SEEDS = "Mean over seeds, 95 % interval (Student). A seed draws sentences, and the weights of a random encoder."

CAPTIONS = {
    "inverse_sigma": (
        f"1/sigma against the layer. {_SIGMA} Mean over positions and seeds, band: mean of the standard deviation over "
        "positions; bars: 95 % interval (Student) over seeds. Padding is left out. Below the dashed line (1) a "
        "LayerNorm shrinks its input."
    ),
    "inverse_sigma_published": (
        "As published: 1 over the unbiased standard deviation over features, mean over all positions, padding too; "
        "band: mean of the standard deviation over positions; bars: 95 % interval (Student) over seeds."
    ),
    "gain": (
        f"What a LayerNorm multiplies the centred features by: mean over features of |gamma|/sigma, and its largest, "
        f"max|gamma|/sigma, which bounds the norm of its derivative. {_SIGMA} Mean over positions and seeds; bars: "
        "95 % interval (Student) over seeds. Random encoders have gamma = 1, so both are 1/sigma."
    ),
    "sites": (
        f"Each LayerNorm's 1/sigma and gain over positions: valid those of the text, all with padding. {_SIGMA} "
        f"unbiased: 1 over the unbiased standard deviation, as published. {_SEEDS} Positions whose 1/sigma is not "
        "finite are left out, and counted in the notes."
    ),
    "beside": f"The same, pretrained beside random, and their difference. {_SEEDS}",
    "costs": "Work of the jobs of each line: batches, tokens, positions with padding, layer applications, seconds.",
    "pretraining": "The model small on the test part, at the end of its pretraining.",
}
