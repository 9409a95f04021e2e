"""How many models of a stack are trained at once, so that memory is bounded.

Dimensions: G stacked models, B sequences, S = L + 1 positions, H width, M heads, V symbols.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from tasks.copying.params import CopyingParams

Member = TypeVar("Member")
FLOAT = 4  # bytes
KEPT = 4  # a weight, its gradient, Adam's two moments


def member_bytes(params: CopyingParams, parameters: int, *, heads: int = 1) -> int:
    """Upper estimate of what training one model takes: weights with Adam's state, and all activations of an update.

    Two recurrences keep gates and states (12 H a position) and their backward as much again; attention a query, a
    context and its projection (3 H) and two [S] rows a head; the readout 4 H and three rows of the vocabulary.
    """
    positions = max(params.batch, params.evaluation_sequences) * (params.length + 1)
    row = (
        24 * params.hidden
        + heads * (2 * 3 * params.hidden + 4 * (params.length + 1))
        + 8 * params.hidden
        + 6 * (params.symbols + 2)
    )
    return FLOAT * (KEPT * parameters + positions * row)


def portions(members: Sequence[Member], each: int, room: int) -> Iterator[Sequence[Member]]:
    """Members in portions that fit together, in order and as even as possible.

    Args:
        each: Bytes that one takes.
        room: Bytes that there are.

    Raises:
        ValueError: not even one fits.
    """
    if each > room:
        raise ValueError(
            f"training one model takes {each / 2**20:,.0f} MiB and there are {room / 2**20:,.0f}: give a smaller "
            "batch, hidden or length, or more memory"
        )
    rounds = -(-len(members) // (room // each))
    for number in range(rounds):
        yield members[number * len(members) // rounds : (number + 1) * len(members) // rounds]
