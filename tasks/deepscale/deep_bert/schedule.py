"""The published schedule of learning rates (dslm 4.2): linear warm-up, then linearly to zero."""


def learning_rate(highest: float, step: int, total: int, warmup: float, legacy: bool = False) -> float:
    """The learning rate of step `step` = 0, 1, …, total - 1.

    With w = warmup * total (not rounded), published: highest * step/w while step <= w, then highest * (total - step) /
    (total - w). So the first step has 0 and is lost (dslm 5, quirk 20); by default the rise is one step ahead,
    highest * min(1, (step + 1)/w), and the fall is as published.

    Args:
        highest: its peak.
        step: steps done.
        total: steps of the run.
        warmup: share of the steps with a rising rate.
        legacy: the published rise.
    """
    rising = warmup * total
    done = step if legacy else step + 1
    if rising and done <= rising:
        return highest * done / rising
    return highest * min(1.0, (total - step) / (total - rising))
