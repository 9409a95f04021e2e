"""The published way to put one or two texts into a sequence of fixed length, on lists of token ids."""

from collections.abc import Sequence


def first_come(
    first: Sequence[int], second: Sequence[int] | None, length: int, *, cls: int, sep: int, pad: int
) -> tuple[list[int], list[int], list[int]]:
    """`[CLS] A [SEP] B [SEP]` as input ids, token types (0 for A, 1 for B) and mask, padded to `length` with `pad`.

    Text A is cut to length - 2 and B gets what is then left. Where A leaves no room for `[SEP]` after B the result is
    length + 1 long and ends in two `[SEP]`: callers cut it to `length`. Source: the published tokeniser of the dynamics
    scripts; fixture token_packing.

    Raises:
        ValueError: for a length that leaves no room for a token of A.
    """
    if length < 3:
        raise ValueError(f"length is {length}; expected at least 3, room for [CLS], a token and [SEP]")
    ids = [cls, *first[: length - 2], sep]
    types = [0] * len(ids)
    if second is not None:
        kept = second[: max(0, length - len(ids) - 1)]
        ids += [*kept, sep]
        types += [1] * (len(kept) + 1)
    missing = length - len(ids)
    return ids + [pad] * missing, types + [0] * missing, [1] * len(ids) + [0] * missing
