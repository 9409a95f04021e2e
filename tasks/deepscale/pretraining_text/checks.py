"""Whether batches can be made as asked, in words for the one who asked. For plans too, so this imports no torch."""

from collections.abc import Mapping
from typing import Any

MIN_LENGTH = 8  # three special tokens and some text


def check_batches(*, length: int, global_batch: int, micro_batch: int, workers: int = 1) -> None:
    """Refuse numbers that do not go together.

    Raises:
        ValueError: with the numbers and what to give instead.
    """
    for name, value in (("global_batch", global_batch), ("micro_batch", micro_batch), ("workers", workers)):
        if value < 1:
            raise ValueError(f"{name} is {value}; expected at least 1")
    if length < MIN_LENGTH:
        raise ValueError(f"length is {length}; expected at least {MIN_LENGTH}, three special tokens and some text")
    if global_batch % micro_batch:
        raise ValueError(
            f"micro_batch is {micro_batch}, which does not divide the global batch of {global_batch}; give one of "
            f"{_divisors(global_batch)}"
        )
    n_micro = global_batch // micro_batch
    if n_micro % workers:
        raise ValueError(
            f"{workers} workers cannot share the {n_micro} micro-batches of {micro_batch} in a global batch of "
            f"{global_batch} alike; give one of {_divisors(n_micro)} workers, or another micro_batch"
        )


def check_vocabulary(meta: Mapping[str, Any], vocab_size: int) -> None:
    """Refuse documents with ids that a model does not have; `meta` is `Documents.meta`.

    Raises:
        ValueError: with both numbers.
    """
    if meta["vocab_size"] > vocab_size:
        raise ValueError(
            f"the tokenizer {meta['tokenizer']} of the documents has {meta['vocab_size']} ids and the model a "
            f"vocabulary of {vocab_size}; give the model at least as many, or documents of its own tokenizer"
        )


def _divisors(number: int) -> str:
    return ", ".join(str(n) for n in range(1, number + 1) if number % n == 0)
