"""The steps at which a training keeps a checkpoint (attention_dynamics 2.4, 3.3). Imports no torch."""

from collections.abc import Iterable


def checkpoint_steps(steps: int, save_every: int, custom: Iterable[int] = ()) -> tuple[int, ...]:
    """Numbers of updates after which weights are kept, rising: multiples of `save_every`, `custom` ones, 0 and the end.

    A checkpoint is named by the updates that it holds. The published files are too, but for the last one: `3999` there
    holds 4,000 updates (quirk C6) and is 4000 here.

    Raises:
        ValueError: for less than one step, a spacing below 1, or a custom checkpoint that the training never reaches.
    """
    if steps < 1 or save_every < 1:
        raise ValueError(f"steps {steps} and save-every {save_every}; expected 1 or more of both")
    beyond = sorted(step for step in custom if not 0 <= step <= steps)
    if beyond:
        raise ValueError(
            f"custom-saves has {beyond[0]}, which a training of {steps} steps never reaches: leave it out or give more "
            "steps"
        )
    return tuple(sorted({0, steps, *range(0, steps, save_every), *custom}))
