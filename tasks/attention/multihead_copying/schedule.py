"""Which heads form each combination (attention_dynamics 4.3, step 4). Imports no torch."""

import random
from collections.abc import Sequence
from typing import Literal, get_args

Combined = Literal["bad", "good", "random"]
COMBINED: tuple[Combined, ...] = get_args(Combined)


def combinations(
    bad: Sequence[int], good: Sequence[int], drawn: Sequence[int], *, count: int, size: int
) -> dict[Combined, list[tuple[int, ...]]]:
    """The heads of `count` combinations of each kind, in the order in which the model has them.

    Combination i: Python's generator is seeded with 3i and the bad heads are shuffled in place, the first `size` are
    the combination bad; with 3i + 1 the bad and then the good ones, size - 1 bad and 1 good are good; with 3i + 2 the
    drawn ones, the first are random. Shuffles accumulate, of the bad heads those of both kinds.

    Returns:
        An empty list for a kind that there are too few heads for.
    """
    bad_now, good_now, drawn_now = list(bad), list(good), list(drawn)
    found: dict[Combined, list[tuple[int, ...]]] = {kind: [] for kind in COMBINED}
    for number in range(count):
        random.Random(3 * number).shuffle(bad_now)
        if len(bad) >= size:
            found["bad"].append(tuple(bad_now[:size]))
        stream = random.Random(3 * number + 1)
        stream.shuffle(bad_now)
        stream.shuffle(good_now)
        if len(bad) >= size - 1 and good:
            found["good"].append((*bad_now[: size - 1], good_now[0]))
        random.Random(3 * number + 2).shuffle(drawn_now)
        if len(drawn) >= size:
            found["random"].append(tuple(drawn_now[:size]))
    return found
