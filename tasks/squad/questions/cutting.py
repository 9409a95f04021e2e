"""A split's paragraphs as three Arrow tables: paragraphs, questions, windows.

Letters: P tokens of a context, W windows of a question, N windows of the split.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.squad.questions.examples import Paragraph, Problems, Question, shortened
from tasks.squad.questions.features import (
    Tokens,
    answer_tokens,
    cut_windows,
    labels,
    tokenise_contexts,
    tokenise_questions,
)
from tasks.squad.questions.pairs import PairTemplate
from tasks.squad.questions.plan import WindowsParams

CHUNK = 256  # paragraphs that the tokenizer gets at once: its encodings take far more room than the arrays made of them


@dataclass(frozen=True, kw_only=True)
class SplitTables:
    """What a split's windows are made of."""

    paragraphs: pa.Table
    """article, context, input_ids, char_starts, char_ends (lists of int32)."""
    questions: pa.Table
    """id, text, answers (list of strings), paragraph, input_ids, trainable."""
    windows: pa.Table
    """question, window_start, size, start, end, max_start, max_end: all int32."""
    counts: dict[str, int]


@dataclass
class _Columns:
    """The tables' columns while they grow."""

    paragraphs: list[Paragraph] = field(default_factory=list)
    tokens: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    questions: list[tuple[Question, int, bool]] = field(default_factory=list)
    query_ids: list[np.ndarray] = field(default_factory=list)
    windows: list[np.ndarray] = field(default_factory=list)
    """int32 [7, W] each, in the order of WINDOW_COLUMNS."""
    lengths: list[np.ndarray] = field(default_factory=list)
    n_cut: int = 0


WINDOW_COLUMNS = ("question", "window_start", "size", "start", "end", "max_start", "max_end")


def cut_split(
    paragraphs: Sequence[Paragraph], tokenizer: Any, template: PairTemplate, params: WindowsParams, problems: Problems
) -> SplitTables:
    """Cut all questions into windows; answers without a token are added to `problems`."""
    columns = _Columns()
    for start in range(0, len(paragraphs), CHUNK):
        part = paragraphs[start : start + CHUNK]
        contexts = tokenise_contexts(tokenizer, [paragraph.context for paragraph in part])
        texts = [question.text for paragraph in part for question in paragraph.questions]
        queries, n_cut = tokenise_questions(tokenizer, texts, params.max_query_length)
        columns.n_cut += n_cut
        at = iter(queries)
        for paragraph, tokens in zip(part, contexts, strict=True):
            number = len(columns.paragraphs)
            columns.paragraphs.append(paragraph)
            columns.tokens.append((tokens.ids, tokens.char_starts, tokens.char_ends))
            for question in paragraph.questions:
                _cut(question, number, tokens, next(at), columns, template, params, problems)
    return _tables(columns)


def _cut(
    question: Question,
    paragraph: int,
    tokens: Tokens,
    query: np.ndarray,
    columns: _Columns,
    template: PairTemplate,
    params: WindowsParams,
    problems: Problems,
) -> None:
    """One question's windows into the columns."""
    offset = len(template.before) + len(query) + len(template.between)
    capacity = params.max_length - offset - len(template.after)
    cut = cut_windows(len(tokens.ids), capacity, params.doc_stride)
    span, trainable = None, question.trainable
    gold = question.answers[0] if question.answers else None
    if gold is not None and gold.start is not None:
        span = answer_tokens(tokens, gold.start, len(gold.text))
        if span is None:
            trainable = False
            said = f"no token is left of {shortened(repr(gold.text))}; the question is not trained on"
            place = f"article {columns.paragraphs[paragraph].article}, answer 1"
            problems.add("answer_untokened", question.id, place, said)
    first, last = labels(cut, span, offset)
    index = np.full_like(cut.starts, len(columns.questions))
    columns.windows.append(np.stack([index, cut.starts, cut.sizes, first, last, cut.max_starts, cut.max_ends]))
    columns.lengths.append(cut.sizes + (offset + len(template.after)))
    columns.questions.append((question, paragraph, trainable))
    columns.query_ids.append(query)


def _tables(columns: _Columns) -> SplitTables:
    ids, starts, ends = (list(part) for part in zip(*columns.tokens, strict=True))
    questions, numbers, trainable = (list(part) for part in zip(*columns.questions, strict=True))
    all_windows = np.concatenate(columns.windows, axis=1)
    return SplitTables(
        paragraphs=pa.table(
            {
                "article": pa.array([paragraph.article for paragraph in columns.paragraphs], pa.string()),
                "context": pa.array([paragraph.context for paragraph in columns.paragraphs], pa.string()),
                "input_ids": _lists(ids),
                "char_starts": _lists(starts),
                "char_ends": _lists(ends),
            }
        ),
        questions=pa.table(
            {
                "id": pa.array([question.id for question in questions], pa.string()),
                "text": pa.array([question.text for question in questions], pa.string()),
                "answers": pa.array([[a.text for a in question.answers] for question in questions], TEXTS),
                "paragraph": pa.array(numbers, pa.int32()),
                "input_ids": _lists(columns.query_ids),
                "trainable": pa.array(trainable, pa.bool_()),
            }
        ),
        windows=pa.table({name: pa.array(row) for name, row in zip(WINDOW_COLUMNS, all_windows, strict=True)}),
        counts=_counts(columns, all_windows, np.asarray(trainable)),
    )


TEXTS = pa.list_(pa.string())


def _counts(columns: _Columns, windows: np.ndarray, trainable: np.ndarray) -> dict[str, int]:
    lengths = np.concatenate(columns.lengths)
    index, starts = windows[0], windows[3]
    return {
        "articles": len({paragraph.article for paragraph in columns.paragraphs}),
        "paragraphs": len(columns.paragraphs),
        "questions": len(columns.questions),
        "answerable": sum(bool(question.answers) for question, _, _ in columns.questions),
        "questions_cut": columns.n_cut,
        "windows": len(index),
        "questions_with_several_windows": sum(part.shape[1] > 1 for part in columns.windows),
        "windows_with_answer": int((starts > 0).sum()),
        "trainable": int(trainable[index].sum()),
        "tokens": int(lengths.sum()),
        "longest": int(lengths.max()),
    }


def _lists(rows: Sequence[np.ndarray]) -> pa.ListArray:
    """A list column of int32."""
    offsets = np.fromiter(itertools.accumulate(map(len, rows), initial=0), dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(rows).astype(np.int32)))
