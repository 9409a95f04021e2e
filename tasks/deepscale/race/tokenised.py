"""The stage `choice_tokens`, which tokenises passages and questions, and `open_choices`, which jobs read it with.

On disk: `<artifact>/<split>/{articles,options,questions}` are Arrow data sets: ids of each article and of each option
(with its question; four in a row belong to one question), and of each question its article and the right option. An
article is stored once however many questions it has; rows are put together batch by batch.

Dimensions: N questions, C = 4 options, B questions of a batch, T tokens of the longest row.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from orchestrator.experiment import Context
from tasks.data.artifacts import encode, list_values, read_table, write_meta, write_table
from tasks.data.errors import DataError
from tasks.data.places import place_here
from tasks.data.tokenised import read_meta
from tasks.data.tokenizers import TokenizerRef, load_tokenizer, special_ids
from tasks.deepscale.race import sources
from tasks.deepscale.race.plan import SPECIAL, ChoiceTokensParams
from tasks.deepscale.race.questions import OPTIONS, SPLITS, Passage, asked, n_questions
from tasks.training.seeds import permutation

CHUNK = 4096  # texts that the tokenizer gets at once


def choice_tokens(params: ChoiceTokensParams, context: Context) -> dict[str, Any]:
    """Tokenise all splits of a task into `context.artifact`; returns no rows. `context.paths` is as `places` makes it.

    Raises:
        DataError: when the data or the tokenizer on this machine are missing, bad or not the planned ones.
    """
    if context.artifact is None:
        raise ValueError("choice_tokens writes an artifact: give context.artifact, an empty directory")
    place = place_here(params.task, context.paths, sources.fingerprint)
    ref = TokenizerRef(name=params.tokenizer, revision=params.tokenizer_revision, path=context.paths.get("tokenizer"))
    tokenizer = load_tokenizer(ref)
    special = special_ids(tokenizer, ref, ("pad", "cls", "sep"))
    sizes = {}
    for split in SPLITS[params.task]:
        passages = limited(sources.read(split, place), params.limit(split), params.task, split)
        for name, table in tokenise(passages, tokenizer, params).items():
            write_table(table, context.artifact / split / name, f"{context.job_id}-{split}-{name}")
        sizes[split] = n_questions(passages)
    meta = {
        "task": params.task,
        "sizes": sizes,
        "vocab_size": len(tokenizer),
        "max_length": params.max_length,
        **{name: special[name] for name in ("pad_token_id", "cls_token_id", "sep_token_id")},
    }
    write_meta(context.artifact, meta)
    return {}


def limited(passages: Sequence[Passage], limit: int | None, task: str, split: str) -> Sequence[Passage]:
    """Passages with at most `limit` of the questions, the same for all sweeps; a smaller limit's are among them."""
    count = n_questions(passages)
    if limit is None or limit >= count:
        return passages
    chosen = {int(i) for i in permutation(count, 0, "limit", task, split)[:limit]}
    kept, number = [], itertools.count()
    for passage in passages:
        questions = tuple(question for question in passage.questions if next(number) in chosen)
        if questions:
            kept.append(Passage(passage.name, passage.text, questions))
    return kept


def tokenise(passages: Sequence[Passage], tokenizer: Any, params: ChoiceTokensParams) -> dict[str, pa.Table]:
    """The three tables of a split. Articles keep `max_length` tokens, which is more than any row has room for."""
    questions = [(at, question) for at, passage in enumerate(passages) for question in passage.questions]
    return {
        "articles": _ids_table([passage.text for passage in passages], tokenizer, params.max_length),
        "options": _ids_table([t for _, q in questions for t in asked(q)], tokenizer, params.question_length),
        "questions": pa.table(
            {
                "article": pa.array([at for at, _ in questions], pa.int64()),
                "label": pa.array([question.answer for _, question in questions], pa.int64()),
            }
        ),
    }


def _ids_table(texts: list[str], tokenizer: Any, most: int) -> pa.Table:
    rows: list[np.ndarray] = []
    for start in range(0, len(texts), CHUNK):
        encoded = encode([" ".join(text.split()) for text in texts[start : start + CHUNK]], tokenizer)
        rows += [np.array(ids[:most], dtype=np.int32) for ids in encoded]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    return pa.table({"input_ids": pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(rows)))})


@dataclass(frozen=True, kw_only=True)
class TokenisedChoices:
    """N questions with four options each. The files are memory-mapped."""

    article_ids: np.ndarray
    """int32, all articles end to end."""
    article_offsets: np.ndarray
    """int64: article a is the slice offsets[a]:offsets[a+1]."""
    option_ids: np.ndarray
    """int32, question and option, all options end to end."""
    option_offsets: np.ndarray
    """int64 [4 N + 1]."""
    article: np.ndarray
    """int64 [N]: the article of each question."""
    labels: np.ndarray
    """int64 [N]: the right option."""
    max_length: int
    pad_token_id: int
    cls_token_id: int
    sep_token_id: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longest of each question's rows, int64 [N]."""
        longest_N = np.diff(self.option_offsets).reshape(-1, OPTIONS).max(axis=1)
        article_N = np.diff(self.article_offsets)[self.article]
        return np.minimum(longest_N + article_N + SPECIAL, self.max_length)

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """input_ids, token_type_ids and attention_mask of some questions, LongTensors [B C, T], padded on the right.

        Row C b + c is `[CLS] question with option c [SEP] article [SEP]`, types 0 up to the first [SEP], then 1.

        Raises:
            ValueError: for no indices.
            IndexError: for an index outside 0..N-1.
        """
        at = np.asarray(indices, dtype=np.int64)
        if at.size == 0:
            raise ValueError("a batch needs at least one index")
        if at.min() < 0 or at.max() >= len(self):
            raise IndexError(f"indices from {at.min()} to {at.max()}; expected 0 to {len(self) - 1}")
        rows, firsts = [], []
        for question in at:
            article = self.article[question]
            text = self.article_ids[self.article_offsets[article] : self.article_offsets[article + 1]]
            for option in range(OPTIONS * question, OPTIONS * (question + 1)):
                own = self.option_ids[self.option_offsets[option] : self.option_offsets[option + 1]]
                room = self.max_length - SPECIAL - len(own)
                rows.append([[self.cls_token_id], own, [self.sep_token_id], text[:room], [self.sep_token_id]])
                firsts.append(len(own) + 2)
        ids = [np.concatenate(row) for row in rows]
        T = max(map(len, ids))
        ids_RT = np.full((len(ids), T), self.pad_token_id, dtype=np.int64)
        for r, row in enumerate(ids):
            ids_RT[r, : len(row)] = row
        column_T = np.arange(T)
        mask_RT = column_T < np.array([len(row) for row in ids])[:, None]
        types_RT = mask_RT & (column_T >= np.array(firsts)[:, None])
        tensors = [torch.from_numpy(x.astype(np.int64)) for x in (ids_RT, types_RT, mask_RT)]
        return tensors[0], tensors[1], tensors[2]


def open_choices(directory: Path, split: str) -> TokenisedChoices:
    """One split of an artifact.

    Raises:
        DataError: when it is not there.
    """
    meta = read_meta(directory)
    if split not in meta["sizes"]:
        raise DataError(f"{directory}: no split {split!r}, it has {', '.join(meta['sizes'])}")
    tables = {name: read_table(Path(directory) / split / name) for name in ("articles", "options", "questions")}
    articles, options = (list_values(tables[name].column("input_ids")) for name in ("articles", "options"))
    return TokenisedChoices(
        article_ids=articles[0],
        article_offsets=articles[1],
        option_ids=options[0],
        option_offsets=options[1],
        article=tables["questions"].column("article").to_numpy(),
        labels=tables["questions"].column("label").to_numpy(),
        **{name: meta[name] for name in ("max_length", "pad_token_id", "cls_token_id", "sep_token_id")},
    )
