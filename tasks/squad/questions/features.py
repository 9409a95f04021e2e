"""Windows of a context for a question: where they start, what they are labelled, which has the most context of a token.

Each context and each question is tokenised once; a window is a slice. Nothing here holds a window's tokens.

Letters: P tokens of a context, W windows of a question, Q questions of a paragraph.
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Tokens:
    """A tokenised context: P tokens and the characters that they stand for."""

    ids: np.ndarray
    """int32 [P]."""
    char_starts: np.ndarray
    """int32 [P]: the token is context[char_starts : char_ends], without blanks around it."""
    char_ends: np.ndarray
    """int32 [P]."""


def tokenise_contexts(tokenizer: Any, contexts: Sequence[str]) -> list[Tokens]:
    """The tokens of whole contexts, however long, without special ones."""
    encoded = tokenizer(
        list(contexts),
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,  # no warning that a context is longer than the model takes: windows are cut
    )
    return [
        _tokens(ids, offsets, context)
        for ids, offsets, context in zip(encoded["input_ids"], encoded["offset_mapping"], contexts, strict=True)
    ]


def _tokens(ids: list[int], offsets: list[tuple[int, int]], context: str) -> Tokens:
    pairs = np.asarray(offsets, dtype=np.int32).reshape(-1, 2)
    starts, ends = pairs[:, 0].copy(), pairs[:, 1].copy()
    # SentencePiece counts the blank before a word into it: an answer would begin with a blank, or one token too early.
    for at in np.flatnonzero([context[a : a + 1].isspace() or context[b - 1 : b].isspace() for a, b in offsets]):
        piece = context[starts[at] : ends[at]]
        starts[at] += len(piece) - len(piece.lstrip())
        ends[at] = max(starts[at], ends[at] - len(piece) + len(piece.rstrip()))
    if not context.isascii():
        _take_marks(starts, ends, context)
    return Tokens(np.asarray(ids, dtype=np.int32), starts, ends)


def _take_marks(starts: np.ndarray, ends: np.ndarray, context: str) -> None:
    """Let a token have the combining marks that follow it and no token has: a text would end without its accent."""
    limits = np.append(starts[1:], len(context))
    for at in np.flatnonzero(ends < limits):
        while ends[at] < limits[at] and unicodedata.category(context[ends[at]]).startswith("M"):
            ends[at] += 1


def tokenise_questions(tokenizer: Any, texts: Sequence[str], max_query_length: int) -> tuple[list[np.ndarray], int]:
    """The first `max_query_length` tokens of each question, int32, and the number of questions that were cut."""
    encoded = tokenizer(
        list(texts),
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )["input_ids"]
    cut = sum(len(ids) > max_query_length for ids in encoded)
    return [np.asarray(ids[:max_query_length], dtype=np.int32) for ids in encoded], cut


def answer_tokens(tokens: Tokens, start: int, length: int) -> tuple[int, int] | None:
    """The first and last token of context[start : start+length]; None where no token has a character of it.

    First: the first token that ends after the answer's start; last: the last one that starts before its end.
    """
    ends = np.maximum.accumulate(tokens.char_ends)  # a token without characters of its own must not break the order
    starts = np.maximum.accumulate(tokens.char_starts)
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(starts, start + length, side="left")) - 1
    return (first, last) if first <= last else None


@dataclass(frozen=True)
class Cut:
    """The windows of one question over its context."""

    starts: np.ndarray
    """int32 [W]: context token at which a window starts."""
    sizes: np.ndarray
    """int32 [W]: its context tokens."""
    max_starts: np.ndarray
    """int32 [W]: of its context, the tokens max_starts : max_ends (counted in the context) have most context here."""
    max_ends: np.ndarray
    """int32 [W]."""


@functools.lru_cache(maxsize=4096)
def cut_windows(n_tokens: int, capacity: int, doc_stride: int) -> Cut:
    """Windows at 0, doc_stride, 2 doc_stride … of up to `capacity` tokens, until one reaches the end of the context.

    A token has most context in the window where min(tokens left of it, tokens right of it) + 0.01 window length is
    largest, in the first of equals. As functions of the token these scores are tents whose differences never rise, so
    that each window's such tokens are an interval. They are compared times a hundred as integers: with floats, ties of
    windows of different lengths would be broken by rounding.

    A context without tokens has one empty window.

    Raises:
        ValueError: when tokens between two windows would never be seen.
    """
    if not 1 <= doc_stride <= capacity:
        raise ValueError(f"doc_stride is {doc_stride} and windows hold {capacity} tokens; expected 1 to {capacity}")
    n_windows = 1 + max(0, -(-(n_tokens - capacity) // doc_stride))
    starts = np.arange(n_windows, dtype=np.int32) * doc_stride
    sizes = np.minimum(capacity, n_tokens - starts).astype(np.int32)
    bounds = np.zeros(n_windows + 1, dtype=np.int32)
    bounds[-1] = n_tokens
    if n_windows > 1:
        last = int(starts[-1])
        # Between two windows of the full length the border is half-way between their middles.
        bounds[1:-1] = (2 * starts[:-1].astype(np.int64) + capacity - 1 + doc_stride) // 2 + 1
        token = np.arange(last, n_tokens)
        full = np.clip(-((capacity - 1 + doc_stride - 2 * token) // (2 * doc_stride)), 0, n_windows - 2)
        room = np.minimum(token - starts[full], starts[full] + capacity - 1 - token)
        of_full = np.where(room >= 0, 100 * room + capacity, -1)
        of_last = 100 * np.minimum(token - last, n_tokens - 1 - token) + int(sizes[-1])
        wins = np.flatnonzero(of_last > of_full)
        border = last + int(wins[0]) if len(wins) else n_tokens
        bounds[:-1] = np.minimum(bounds[:-1], border)
        bounds[-2] = border
    return Cut(starts, sizes, bounds[:-1].copy(), bounds[1:].copy())


def labels(cut: Cut, span: tuple[int, int] | None, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the answer in each window, int32 [W]; 0, 0 where it is not wholly inside, or there is none.

    `offset` is the position of a window's first context token.
    """
    if span is None:
        return np.zeros_like(cut.starts), np.zeros_like(cut.starts)
    first, last = span
    inside = (first >= cut.starts) & (last < cut.starts + cut.sizes)
    shift = offset - cut.starts
    return np.where(inside, first + shift, 0).astype(np.int32), np.where(inside, last + shift, 0).astype(np.int32)
