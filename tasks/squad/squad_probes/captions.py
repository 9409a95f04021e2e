"""What each figure and summary table of `squad_probes` shows, in the words that stand below it."""

_RUNS = (
    "Mean over runs, 95 % interval (Student): runs are encoder seeds where there are several, else the seeds of the "
    "probes, whose interval tells of first weights and dropout only, not of other fine-tunings or questions."
)
_SELECTED = (
    "Configuration (solver, learning rate or L2, epoch) chosen by F1 on one half of the dev articles, scored on the "
    "other, both ways."
)

CAPTIONS = {
    "by_level": f"Scores in percent against level. {_SELECTED} {_RUNS} Dashed: never answering.",
    "separated": (
        "What F1 mixes, apart: F1 of the answerable questions where an answer is always given, and how well the null "
        f"odds tell which questions have none (the share of these is what guessing gives). {_SELECTED}"
    ),
    "difference": (
        "Fine-tuned minus before, in points of F1, paired by seeds (selected configurations). Before: pretrained, or "
        "for models from scratch the random weights that the fine-tuning began at. Triangle: the level from which on "
        "the difference exceeds the margin, mean and interval over the runs that reach it; published tables "
        "(dotted) where the model is the same."
    ),
    "heat_map": "Exact match and F1 in percent, rounded; white is the score of never answering. " + _SELECTED,
    "convergence": (
        "F1 of all dev questions against learning rate (last epoch), epoch, and strength of L2: where a line still "
        "rises, the probe is not at its optimum, and layers are compared by how fast they learn. Colour: level. "
        "Dashed: never answering. Each row of panels has a scale of its own."
    ),
    "decoders": (
        "The same probes, decoded as published (dashed) and exhaustively with text cut from the context (solid). "
        "Means over runs."
    ),
    "beside_published": (
        "Ours (with band) and the published tables (dashed, one seed) for the same weights; the configuration and "
        "decoder nearest to the published ones. Another dev set than the 6,078 questions of CS224N gives other numbers."
    ),
    "training_curves": (
        "Training loss of the probes (Adam), mean of both heads' cross entropies in nats, mean over seeds. Colour: "
        "level."
    ),
    "by_epoch": f"F1 and dev cross entropy (nats) of every configuration after each epoch. {_RUNS}",
    "layers": f"Every configuration after its last epoch, on all dev questions. {_RUNS}",
    "selected": f"{_SELECTED} The halves are weighted by their numbers of questions. {_RUNS}",
    "choices": (
        "The configuration chosen for each encoder, level, decoder and half. f1_there: what it was chosen by "
        "(optimistic); f1_elsewhere: on the other half."
    ),
    "differences": f"Fine-tuned minus before in points, paired by seeds; every configuration and `selected`. {_RUNS}",
    "onset": (
        "The level from which on all deeper ones differ by more than 1 point. mean, low, high, earliest, latest: over "
        "the runs that reach such a level (reached); never: runs that do not, for which the mean is too early; "
        "undefined: runs with NaN. Also of the published tables (one seed, level 0 not probed). The "
        "interval is cut at the first and the last level."
    ),
    "published_beside": (
        "Ours and the published numbers of the same weights; rows made most alike first. difference = ours - "
        "published, points. questions: our dev questions."
    ),
    "gap": "Probes of fine-tuned checkpoints against the published end-to-end F1 of the same weights (their own head).",
    "unsolved": "Convex problems whose gradient did not come below the tolerance.",
    "growing": (
        "Growth in percent of the probes' weight norms in the last epoch of Adam (mean and largest over seeds and "
        "encoders): a probe that grows has not converged."
    ),
    "costs": "Seconds and layer applications to one window as counted while running, by encoder.",
}
