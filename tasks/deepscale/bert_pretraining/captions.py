"""What stands below the figures and tables of `bert_pretraining`."""

from tasks.deepscale.deep_bert.pretraining_params import MARGIN

CAPTIONS = {
    "loss_curves": "Training loss of the masked pieces (nats a piece), mean over the steps since the previous point; a "
    "line a run, a colour a variant, a panel a number of layers. A cross: the run diverged, its loss or gradient norm "
    "was not finite at that step; it stands at the last finite loss. Dashed: the entropy of the training part's "
    "tokens, about what naming pieces by their frequencies costs, which takes no context. The axis ends at 1.5 times "
    "the highest first point.",
    "optimisation": "Gradient norm over all parameters before clipping, mean over the steps since the previous point, "
    "and learning rate. A cross: the last finite gradient norm of a run that diverged.",
    "variants": "Runs of each variant and what became of them. diverged: a loss or gradient norm was not finite. "
    f"not_training: at the end masked pieces of the test part cost no less than {MARGIN} nats below what their "
    "frequencies alone cost. Means are over the runs that did not diverge, intervals are Student's 95 % over their "
    "seeds, empty with one.",
    "outcomes": "What became of each run: of one that diverged the step at which it did, and the last finite training "
    "loss (nats a masked piece).",
    "throughput": "Medians over the points of each run: tokens a second of all workers without padding, and the share "
    "of the devices' peak that the model's own operations are. Evaluations and checkpoints are left out of the time. "
    "padding: share of the positions gone through. On a CPU the peak is that of a product of matrices, timed at the "
    "beginning of the run.",
    "curves": "The points that are drawn.",
}
