"""What each figure and summary table of `perturbation` shows, in the words that stand below it."""

_DISTANCE = (
    "Distance: length of the difference of the last layer's states at the first token, with and without noise on all "
    "weights."
)
_SEEDS = (
    "Mean over seeds, 95 % interval (Student). A seed draws sentences and noise, and all weights of a random encoder."
)
_BOUND = (
    "Two unrelated states that come out of a LayerNorm of unit gain differ by sqrt(2H); a checkpoint's gains make that "
    "another number."
)

CAPTIONS = {
    "distance": (
        f"{_DISTANCE} Boxes: quartiles of the sentences of all batches and seeds together, as published; whiskers to "
        "the last value within 1.5 times the box, points beyond. Dotted: sqrt(2H). Dashed: what rounding to float32 "
        f"alone moves (median); levels below are computed in float64. {_BOUND} Values of 0 and NaN are left out."
    ),
    "amplification": (
        "Mean over sentences of ln(distance / standard deviation of the noise), as a number: flat where the network is "
        "linear in the noise, falling where the distance cannot grow any further. Mean over seeds, bars: 95 % interval "
        "(Student); lines stand beside each other so that bars can be told apart."
    ),
    "levels": (
        f"Quartiles of the distance over sentences, in each seed. {_SEEDS} bound: sqrt(2H). The precision is that of "
        "both passes."
    ),
    "beside": f"The median distance, pretrained beside random, and their ratio. {_SEEDS}",
    "slopes": (
        "d ln distance / d ln std between neighbouring levels, mean over sentences: 1 where the distance is "
        f"proportional to the noise, 0 where it no longer depends on it. {_SEEDS} Sentences whose distance is 0 or NaN "
        "at one of the two levels are left out."
    ),
    "floors": f"What rounding to float32 alone moves the state: median over sentences. {_SEEDS}",
    "costs": "Work of the jobs of each line: passes with and without noise, layer applications to a sentence, seconds.",
    "pretraining": "The model small on the test part, at the end of its pretraining.",
}
