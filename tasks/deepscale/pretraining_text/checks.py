"""Whether batches can be made as asked, in words for the one who asked. For plans too, so this imports no torch."""

from collections.abc import Mapping
from typing import Any

from orchestrator.limits import require

MIN_LENGTH = 8  # three special tokens and some text


def check_batches(*, length: int, global_batch: int, micro_batch: int, workers: int = 1) -> None:
    """Refuse numbers, 1 or more, that do not go together.

    Raises:
        ValueError: with the numbers and what to give instead.
    """
    require(length >= MIN_LENGTH, "length", length, f"at least {MIN_LENGTH}, three special tokens and some text")
    remedy = f"a number that divides the global batch of {global_batch}: {_divisors(global_batch)}"
    require(global_batch % micro_batch == 0, "micro_batch", micro_batch, remedy)
    n_micro = global_batch // micro_batch
    remedy = (
        f"a number that divides the {n_micro} micro-batches of {micro_batch} in a global batch of {global_batch}: "
        f"{_divisors(n_micro)}; or another --micro-batch"
    )
    require(n_micro % workers == 0, "workers", workers, remedy)


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
