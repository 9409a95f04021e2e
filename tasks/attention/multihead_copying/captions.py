"""What each figure and summary table of `multihead_copying` shows, in the words that stand below it."""

_ACCURACY = (
    "Accuracy: share of target positions, the end symbol's included, whose most probable symbol is right, given the "
    "right ones before it; all models are evaluated on the same sequences, before the update of each step."
)
_KINDS = "bad: all heads fail alone. good: one succeeds alone, the others fail. random: heads that were not screened."
_DEPENDENT = (
    "Combinations share a base, data and heads, so they are not independent and the intervals are too narrow for other "
    "bases or heads."
)

CAPTIONS = {
    "combinations": (
        f"A line a combination, coloured by its outcome; on the right the share that has learned up to each step; "
        f"points: at the last one, with Wilson's 95 % interval over combinations. {_KINDS} {_ACCURACY} {_DEPENDENT}"
    ),
    "heads": (
        "Heads alone. Left: a line a training (head and data seed), coloured by its outcome; one that is good ends "
        f"there. Right: how many heads are good or bad with every data seed, and neither. {_ACCURACY}"
    ),
    "attention": (
        "How often each head of a combination points at the symbol to be copied, the end symbol left out, at the last "
        f"evaluation; columns are heads in the model's order, rows combinations, the best first. {_KINDS}"
    ),
    "head_verdicts": (
        "Candidates that are good or bad with every data seed, or neither, with Wilson's 95 % interval over heads."
    ),
    "alone": "Trainings of a head alone by data seed and outcome; decided: the step of the evaluation that decided.",
    "shares": (
        f"Combinations that learned, share with Wilson's 95 % interval over combinations. {_KINDS} {_DEPENDENT} "
        "reached: first, median and last of the steps at which they did. accuracy: mean at the last evaluation with "
        "Student's 95 % interval. unlearned: accuracies and greatest attention accuracy of the others."
    ),
    "shares_by_step": f"Combinations that have learned up to each step. {_KINDS} {_DEPENDENT}",
    "combination_outcomes": (
        "Each combination: its outcome, the first step at which it reached the accuracy, numbers at the last "
        "evaluation, its heads in order; best_place and best_head: the head that points at the right position most "
        f"often, attention_accuracy being its share (the end symbol left out). {_KINDS}"
    ),
    "costs": "Jobs of each stage, how many of them had anything to train, and their seconds.",
}
