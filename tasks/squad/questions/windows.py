"""`open_windows`, which reads an artifact of the stage `squad_windows`.

Positions are counted in a window, from its classification token 0; character offsets in a context.

Letters: N windows of the split, B windows of a batch, T tokens of the longest of them.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tasks.data.artifacts import read_meta
from tasks.data.errors import DataError
from tasks.squad.questions.pairs import PairTemplate, detokenise
from tasks.squad.questions.tables import Paragraphs, Questions, read_paragraphs, read_questions, read_table


@dataclass(frozen=True, kw_only=True)
class WindowBatch:
    """B windows padded on the right to T tokens."""

    input_ids: torch.Tensor
    """LongTensor [B, T]."""
    token_type_ids: torch.Tensor
    """LongTensor [B, T], as the tokenizer gives them for a pair: 0 everywhere for RoBERTa-like ones."""
    attention_mask: torch.Tensor
    """LongTensor [B, T]."""
    allowed: torch.Tensor
    """bool [B, T]: positions that an answer may have, the context and position 0."""
    max_context: torch.Tensor
    """bool [B, T]: context positions that have more context here than in any other window of the question."""
    context_start: torch.Tensor
    """LongTensor [B]."""
    context_end: torch.Tensor
    """LongTensor [B], half open."""
    start: torch.Tensor
    """LongTensor [B]: the label; 0 = no answer in this window."""
    end: torch.Tensor
    """LongTensor [B], inclusive."""
    question: torch.Tensor
    """LongTensor [B]."""
    windows: torch.Tensor
    """LongTensor [B]: indices of the windows."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """N windows, those of a question together and in the order of the file."""

    question: np.ndarray
    """int32 [N]."""
    lengths: np.ndarray
    """int64 [N]: tokens with the special ones."""
    start: np.ndarray
    """int32 [N]: position of the first token of the first gold answer; 0 where it is not wholly in this window."""
    end: np.ndarray
    """int32 [N]: of its last token."""
    trainable: np.ndarray
    """bool [N]: False for windows of questions whose label cannot be trusted."""
    context_start: np.ndarray
    """int32 [N]: position of the first context token."""
    context_end: np.ndarray
    """int32 [N]: half open, the position of the final separator."""
    window_start: np.ndarray
    """int32 [N]: context token at which the window starts."""
    max_start: np.ndarray
    """int32 [N]: the context tokens max_start : max_end (counted in the context) have most context in this window."""
    max_end: np.ndarray
    """int32 [N]."""
    questions: Questions
    paragraphs: Paragraphs
    template: PairTemplate
    meta: dict[str, Any]
    """The stage's settings, vocab_size, pad_token_id, cls_token_id, sep_token_id, sizes, counts."""
    directory: Path

    def __len__(self) -> int:
        return len(self.question)

    def batch(self, indices: Sequence[int] | np.ndarray, pad_to: int | None = None) -> WindowBatch:
        """Some windows, padded to the longest of them, or to `pad_to` tokens.

        Raises:
            ValueError: for no indices, or a `pad_to` shorter than a window.
            IndexError: for an index outside 0..N-1.
        """
        at = np.asarray(indices, dtype=np.int64)
        if at.size == 0:
            raise ValueError("a batch needs at least one index")
        if at.min() < 0 or at.max() >= len(self):
            raise IndexError(f"indices from {at.min()} to {at.max()}; expected 0 to {len(self) - 1}")
        longest = int(self.lengths[at].max())
        n_columns = longest if pad_to is None else pad_to
        if n_columns < longest:
            raise ValueError(f"pad_to is {pad_to}; a window has {longest} tokens")
        column_T = np.arange(n_columns)
        begin_B1, stop_B1 = self.context_start[at, None], self.context_end[at, None]
        mask_BT = column_T < self.lengths[at, None]
        ids_BT, types_BT = self._tokens(at, column_T)
        context_BT = (column_T >= begin_B1) & (column_T < stop_B1)
        token_BT = column_T - begin_B1 + self.window_start[at, None]
        most_BT = context_BT & (token_BT >= self.max_start[at, None]) & (token_BT < self.max_end[at, None])
        return WindowBatch(
            input_ids=_long(np.where(mask_BT, ids_BT, self.meta["pad_token_id"])),
            token_type_ids=_long(np.where(mask_BT, types_BT, 0)),
            attention_mask=_long(mask_BT),
            allowed=torch.from_numpy(context_BT | (column_T == 0)),
            max_context=torch.from_numpy(most_BT),
            context_start=_long(self.context_start[at]),
            context_end=_long(self.context_end[at]),
            start=_long(self.start[at]),
            end=_long(self.end[at]),
            question=_long(self.question[at]),
            windows=torch.from_numpy(at.copy()),
        )

    def _tokens(self, at: np.ndarray, column_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and their types, int64 [B, T]; what stands behind a window's end is of no meaning."""
        template, questions, paragraphs = self.template, self.questions, self.paragraphs
        question_B = self.question[at]
        query_B, first_B = questions.offsets[question_B], paragraphs.offsets[questions.paragraph[question_B]]
        begin, stop = self.context_start[at], self.context_end[at]
        before = len(template.before)
        parts = (  # where a part begins, its tokens, and which of them is the first
            (np.zeros_like(begin), np.asarray(template.before), np.zeros_like(query_B)),
            (np.full_like(begin, before), questions.input_ids, query_B),
            (begin - len(template.between), np.asarray(template.between), np.zeros_like(query_B)),
            (begin, paragraphs.input_ids, first_B + self.window_start[at]),
            (stop, np.asarray(template.after), np.zeros_like(query_B)),
        )
        ids_BT = np.zeros((len(at), len(column_T)), dtype=np.int64)
        types_BT = np.zeros_like(ids_BT)
        for (begins_B, tokens, first_B), kind in zip(parts, template.types, strict=True):
            here_BT = column_T >= begins_B[:, None]  # a later part overwrites what an earlier one wrote too far
            if len(tokens):
                source_BT = np.clip(column_T - begins_B[:, None] + first_B[:, None], 0, len(tokens) - 1)
                np.copyto(ids_BT, tokens[source_BT], where=here_BT)
            np.copyto(types_BT, kind, where=here_BT)
        return ids_BT, types_BT

    def text(self, window: int, a: int, b: int) -> str:
        """The context from the token at position a to that at b, inclusive, as it is written; "" for 0, 0 (no answer).

        Raises:
            IndexError: when the span is not in the window's context.
        """
        if a == b == 0:
            return ""
        first, last, paragraph = self._span(window, a, b)
        start, end = self.paragraphs.char_starts[first], self.paragraphs.char_ends[last]
        return self.paragraphs.contexts[paragraph][start:end]

    def tokens_text(self, window: int, a: int, b: int) -> str:
        """The text of the span as published: word pieces put together, lower-cased and without accents as they are."""
        if a == b == 0:
            return ""
        first, last, _ = self._span(window, a, b)
        ids = self.paragraphs.input_ids[first : last + 1].tolist()
        return detokenise([self._backend.id_to_token(i) for i in ids], self.meta["joining"], self._backend)

    def _span(self, window: int, a: int, b: int) -> tuple[int, int, int]:
        """First and last token, counted in all paragraphs' tokens, and the paragraph."""
        begin, stop = int(self.context_start[window]), int(self.context_end[window])
        if not begin <= a <= b < stop:
            raise IndexError(f"window {window}: no span from {a} to {b}; its context is at {begin} to {stop - 1}")
        paragraph = int(self.questions.paragraph[self.question[window]])
        shift = int(self.paragraphs.offsets[paragraph]) + int(self.window_start[window]) - begin
        return a + shift, b + shift, paragraph

    @functools.cached_property
    def _backend(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self.directory / "tokenizer.json"))


def open_windows(directory: Path, split: str) -> Windows:
    """The windows of one split (train or dev) of an artifact; the numbers stay memory-mapped.

    Raises:
        DataError: when it is not there.
    """
    directory = Path(directory)
    meta = read_meta(directory, "squad_windows")
    if split not in meta["sizes"]:
        raise DataError(f"{directory}: no split {split!r}, it has {', '.join(meta['sizes'])}")
    template = PairTemplate.from_dict(meta["template"])
    paragraphs, questions = read_paragraphs(directory / split), read_questions(directory / split)
    table = read_table(directory / split / "windows")
    column = {name: table.column(name).to_numpy() for name in table.column_names}
    question = column["question"]
    offset = len(template.before) + len(template.between)
    context_start = (np.diff(questions.offsets)[question] + offset).astype(np.int32)
    context_end = context_start + column["size"]
    return Windows(
        question=question,
        lengths=(context_end + len(template.after)).astype(np.int64),
        start=column["start"],
        end=column["end"],
        trainable=questions.trainable[question],
        context_start=context_start,
        context_end=context_end,
        window_start=column["window_start"],
        max_start=column["max_start"],
        max_end=column["max_end"],
        questions=questions,
        paragraphs=paragraphs,
        template=template,
        meta=meta,
        directory=directory,
    )


def _long(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.int64))
