"""What each figure and summary table of `sequence_copying` shows, in the words that stand below it."""

_ACCURACY = (
    "Accuracy: share of target positions, the end symbol's included, whose most probable symbol is right, given the "
    "right ones before it."
)

CAPTIONS = {
    "learning_curves": (
        "A line a run (seed), evaluated behind the update of each step on freshly drawn sequences, coloured by its "
        f"outcome. {_ACCURACY} Attention accuracy: share of target positions at which attention is greatest on the "
        "symbol to be copied; dotted: 1 / source positions, what pointing at random gives. Grey bars, where the "
        "setting is the published one: lowest and highest of the published code's runs (of a permutation, of those "
        "that failed)."
    ),
    "outcomes": (
        "Each run. learned: an evaluation reached the accuracy asked for, reached being the first such step. attends: "
        "it did not, but at the last evaluation attention was right in half of the positions or more. failed: neither. "
        f"not finite: a loss was NaN or infinite. {_ACCURACY} accuracy and attention_accuracy: at the last evaluation; "
        "attention_accuracy is NaN without attention."
    ),
    "shares": (
        "Runs that learned, and their share with Wilson's 95 % interval over runs (seeds). reached: first, median and "
        "last of the steps at which they reached the accuracy. unlearned: least and greatest accuracy, and greatest "
        "attention accuracy, of the others at the last evaluation; runs that are not finite are left out there."
    ),
    "curves": "Mean, least and greatest over runs (seeds) at each step.",
    "bags": (
        "What a bag of words knows about a sequence, in closed form: presence, the probability that a symbol is in it; "
        "variance of a symbol's count; covariance of two symbols' counts. Of a permutation all bags are the same, so "
        "that which symbol goes with which cannot be learned from bags."
    ),
    "costs": "Seconds that training took, added up over jobs, data and evaluations included.",
}
