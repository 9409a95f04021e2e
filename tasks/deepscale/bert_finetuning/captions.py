"""What the figures and summary tables of `bert_finetuning` show, in words."""

_SEEDS = "Accuracy on the dev set (MNLI: matched; RACE: both levels) after the last epoch"

CAPTIONS = {
    "accuracy_by_model": f"{_SEEDS}, with the learning rate that was chosen for the model on this dev set by the "
    "median over seeds: a dot a seed, bar = median. Dashed: always naming the most frequent class; dotted: drawing "
    "lots. Runs that diverged have no dot and count as the worst in the median; their number stands below.",
    "accuracy_by_rate": f"{_SEEDS}, against the highest learning rate: line = median over seeds, a dot a seed. Runs "
    "that diverged have no dot.",
    "accuracy_by_epoch": "Accuracy on the dev set after each epoch with the chosen learning rate: line = median over "
    "seeds, thin lines = seeds.",
    "training_loss": "Training loss with the chosen learning rate, a line a seed; a cross where a run diverged.",
    "best": "The learning rate with the highest median over seeds on the dev set (MNLI: matched; RACE: both levels), "
    "and its accuracies on every split: median, mean with Student's 95 % interval over the runs that ended, standard "
    "deviation, range. The dev set serves to choose and to measure, so these are flattered; cross_median is not: "
    "chosen on one half of the dev set, measured on the other, mean of both ways. not_better: runs no better than "
    "guessing.",
    "learning_rates": "Every learning rate after the last epoch: median over seeds (diverged runs count as the worst), "
    "mean with Student's 95 % interval over the runs that ended, standard deviation, range.",
    "epochs": "The same after each epoch, with the chosen learning rate.",
    "pretraining": "What became of the networks that the sweep pretrained (columns as in bert_pretraining).",
    "data": "Examples, their tokens, the share that max_length cuts, and what guessing scores.",
    "costs": "Runs, how many diverged, seconds on the workers, tokens a second of training without padding.",
}
