"""What the figures and tables of `representation_similarity` show."""

_NULLS = (
    "The independent null is of Gaussian rows that have nothing to do with the first encoder, as many and with the "
    "second encoder's covariance. The shuffled null puts beside each position another one of the same protein, by one "
    "permutation for all proteins: it keeps what they share because they read the same proteins, or proteins of one "
    "family."
)
_SEEDS = (
    "Means over seeds of the random weights (of a pair without a random twin there may be one), with Student's 95 % "
    "interval for the mean (low, high; none for one seed). "
)
CAPTIONS = {
    "maps": "Every level of one encoder with every level of the other (0: the output of the embeddings). Upper row: "
    "PWCCA, mean of both directions. Second: less that of independent data. Third: less that of shuffled positions. "
    "Lowest: linear CKA less that of shuffled positions. Means over seeds. " + _NULLS,
    "last": "The last levels of each pair. Points: mean over seeds; bars: 95 % interval for the mean over random "
    "weights (none for one seed; it may be smaller than the point). Dashes: largest value of independent data; "
    "crosses: shuffled positions. What is not above both says nothing. " + _NULLS,
    "last_levels": "The deepest levels compared of each pair, by every metric. " + _SEEDS + _NULLS,
    "closer_to_plus": "The question of the paper: is the pretrained text encoder closer to PLUS than its random twin? "
    "Last levels. clear: the pretrained encoder's value is outside the 95 % prediction interval for one more random "
    "twin (Student).",
    "closest_levels": "Of each pair and metric the levels whose similarity is farthest above the higher of the two "
    "nulls. It is the largest of many, so its own value is too high on average.",
    "levels": "Every pair of levels by every metric. " + _SEEDS + _NULLS,
    "costs": "Seconds, layer applications to one protein as counted while running, and the bytes of the moments, which "
    "do not grow with the rows.",
}
