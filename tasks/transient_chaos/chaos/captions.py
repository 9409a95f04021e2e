"""What each figure and summary table of `chaos` shows, in the words that stand below it."""

_BAND = "over networks (means of their sentences) where there are several, over sentences for a single network"

FIGURES = {
    "growth_two_panels": (
        "Upper: finite-time largest Lyapunov exponent of each window, mean over sentences, then networks; band = "
        f"mean ± sd {_BAND}, for the aligned tangents. Lower: one component of the shown sentences' states (base "
        "trajectories alone), mean ± sd in the same way. Values that are not finite are left out and counted in "
        "growth."
    ),
    "spectrum": (
        "Lyapunov exponents, cumulative from the alignment to the last layer, of the sentences that have all of "
        f"them; bar = 95 % interval for the mean {_BAND}."
    ),
    "convergence": "Cumulative Lyapunov exponents against the number of layers that they are the mean over.",
    "effective_dimension": (
        "Participation ratio of the sample of sentences at each layer: all tokens (solid), first token alone "
        "(dashed). Band = 95 % interval over networks; a single network has none. It cannot exceed the number of "
        "sentences less one (dash-dotted)."
    ),
    "token_deviation": (
        "Standard deviation over tokens, mean over hidden dimensions, at each layer: median over sentences, band = "
        "10 % to 90 % of the sentences; of each the median over networks. Dotted: root mean square deviation over "
        "tokens in dimension 0 alone, of the shown sentences. Grey lines: thresholds of synchronisation."
    ),
    "trajectories": "Components of the states of a few tokens of the first shown sentence.",
    "survival": (
        "Kaplan-Meier curves: the share of sentences that are still chaotic, or whose tokens are still apart, after "
        "so many layers. A line is the mean of its networks' curves; band = 95 % interval over networks (Student, "
        "cut at 0 and 1), or over sentences for a single network (Greenwood, log-log). Ticks: censored, it had not "
        "ended when the run did, or the sentence was lost. Chaos lengths are known to one window only; without growth "
        "in the first window they are 0."
    ),
    "survival_thresholds": (
        "Kaplan-Meier curves of the persistent synchronisation offset, for each threshold of the spread over tokens."
    ),
    "chaos_length_map": (
        "Largest exponent (aligned tangent) of every sentence in every window. White: start of the first window "
        "without growth, by which sentences are sorted. Grey: not finite. Colours end at the 1 % and 99 % "
        "quantiles."
    ),
    "attention_maps": (
        "Attention probabilities of one head in the first shown sentence; the square root sets the colour."
    ),
    "long_growth": (
        "Largest exponents of synchronised sentences: along the manifold on which all tokens are equal, and across "
        f"it (below 0: the tokens stay together); band = mean ± sd {_BAND}. Thin: further exponents."
    ),
    "long_trajectory": "A component of the one vector that all tokens of the first followed sentence are.",
}
TABLES = {
    "comparison": (
        "Pretrained against random networks, one value a network. beyond: not reached within the run, counted as "
        "larger than every other value. share_below, share_above: random networks below and above the pretrained "
        "one. No p-values: sentences of one network are not independent."
    ),
    "chaos_length_summary": (
        "Chaos lengths in layers from the embeddings; 0 without growth in the first window. median: first layer where "
        "at most half are left, NaN where more than half never cease; restricted_mean: of min(length, horizon), 95 % "
        "interval over networks, or over sentences for a single network."
    ),
    "offset_summary": "Synchronisation offsets in layers; columns as in chaos_length_summary.",
    "synchronised": (
        "Share of sentences whose spread over tokens is below the threshold at the last layer, of those with finite "
        "states; 95 % interval over networks (Student), or over sentences for a single network (Wilson)."
    ),
    "dimensions": (
        "Kaplan-Yorke dimension of each sentence's last spectrum. Sentences whose sums are never negative count as "
        "the number of exponents and are in beyond: the mean is then a lower bound."
    ),
    "long_summary": (
        "Sentences that go on as one vector. last_along, last_across: mean largest exponent of the last window, "
        "nats per layer; stable_share: windows in which the mean across is below 0."
    ),
    "long_chaos_length_survival": (
        "Kaplan-Meier curve of the chaos along the synchronised manifold; layers of the sweep included."
    ),
    "long_chaos_length_summary": "Chaos lengths along the manifold; columns as in chaos_length_summary.",
    "lost_sentences": (
        "Sentences whose states ceased to be finite numbers; everything else leaves them out from there on."
    ),
    "pretraining": "Last values of the training of the model that the project pretrained itself.",
    "costs": (
        "Seconds on the workers; layer applications to one sentence and tangents pushed through one layer, counted "
        "while running."
    ),
    "growth": f"Finite-time Lyapunov exponents in nats per layer: mean, 95 % interval {_BAND}.",
    "spectra": f"Cumulative Lyapunov exponents in nats per layer: mean, 95 % interval {_BAND}.",
    "effective_dimension": "Participation ratio: mean and 95 % interval over networks, and its bound.",
    "token_deviation": (
        "Spread over tokens: median over networks of each statistic over sentences; lowest, highest network."
    ),
    "chaos_length_survival": "Kaplan-Meier curves of chaos lengths; censored: times censored at that layer.",
    "offset_survival": "Kaplan-Meier curves of synchronisation offsets; censored: times censored at that layer.",
    "long_growth": f"Growth along and across the synchronised manifold in nats per layer: mean, 95 % interval {_BAND}.",
}
