"""The `tokens` stage, which tokenises a task into an artifact, and `open_split`, which jobs read it with.

On disk: `<artifact>/<split>/` is a `datasets` Arrow data set with the columns input_ids (list of int32), token_type_ids
(list of int8) and label (int64, or float64 for regression), unpadded; `<artifact>/meta.json` says how it was made.

Letters: N examples, S tokens of all examples together, B batch, T tokens of the longest in the batch.
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import torch

from tasks.data import artifacts, sources
from tasks.data.artifacts import list_values, read_table, write_table
from tasks.data.errors import DataError
from tasks.data.examples import Examples, TaskInfo, task_info
from tasks.data.places import place_here
from tasks.data.plan import TokensParams
from tasks.data.tokenizers import TokenizerRef, load_tokenizer
from tasks.training.seeds import permutation

if TYPE_CHECKING:
    from orchestrator.experiment import Context

CHUNK = 4096  # texts that the tokenizer gets at once: its encodings take some 10 KB a text until they become arrays


class Split(Protocol):
    """What stages use of a `TokenisedSplit`, or of examples that are stored in another way."""

    @property
    def labels(self) -> np.ndarray: ...
    @property
    def lengths(self) -> np.ndarray: ...
    def __len__(self) -> int: ...
    def batch(self, indices: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]: ...


def tokens(params: TokensParams, context: "Context") -> dict[str, Any]:
    """Tokenise all splits of a task into `context.artifact`; returns no rows.

    `context.paths` is as `places.places` makes it.

    Raises:
        DataError: when the data or the tokenizer on this machine are missing or not the planned ones.
    """
    if context.artifact is None:
        raise ValueError("the tokens stage writes an artifact: give context.artifact, an empty directory")
    info = task_info(params.task)
    place = place_here(params.task, context.paths, functools.partial(sources.fingerprint, params.task))
    tokenizer = load_tokenizer(
        TokenizerRef(name=params.tokenizer, revision=params.tokenizer_revision, path=context.paths.get("tokenizer"))
    )
    sizes = {}
    for split in info.splits:
        examples = sources.read(params.task, split, place)
        examples = limited(examples, params.limit(split), params.task, split)
        table = tokenise(examples, tokenizer, params.max_length, info)
        write_table(table, context.artifact / split, f"{context.job_id}-{split}")
        sizes[split] = len(examples)
    meta = {
        "task": params.task,
        "n_outputs": info.n_outputs,
        "is_regression": info.is_regression,
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "max_length": params.max_length,
        "sizes": sizes,
    }
    artifacts.write_meta(context.artifact, meta)
    return {}


def limited(examples: Examples, limit: int | None, task: str, split: str) -> Examples:
    """At most `limit` of the examples, the same for all sweeps, in their own order; a smaller limit's are among them.

    They are drawn and not the first ones, since published files are sorted by source and some by label.
    """
    if limit is None or limit >= len(examples):
        return examples
    chosen = np.sort(permutation(len(examples), 0, "limit", task, split)[:limit]).tolist()
    return Examples(
        first=[examples.first[i] for i in chosen],
        second=None if examples.second is None else [examples.second[i] for i in chosen],
        labels=[examples.labels[i] for i in chosen],
    )


def tokenise(examples: Examples, tokenizer: Any, max_length: int, info: TaskInfo) -> pa.Table:
    """The columns of an artifact's split; N rows, no padding."""
    ids: list[np.ndarray] = []
    types: list[np.ndarray] = []
    lengths: list[int] = []
    for start in range(0, len(examples), CHUNK):
        part = slice(start, start + CHUNK)
        encoded = tokenizer(
            examples.first[part],
            None if examples.second is None else examples.second[part],
            truncation="longest_first",
            max_length=max_length,
            padding=False,
            return_token_type_ids=True,  # some classes leave them out by default, and pairs need them
            return_attention_mask=False,
        )
        ids.append(_flat(encoded["input_ids"], np.int32))
        types.append(_flat(encoded["token_type_ids"], np.int8))
        lengths.extend(len(row) for row in encoded["input_ids"])
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    label_type = pa.float64() if info.is_regression else pa.int64()
    return pa.table(
        {
            "input_ids": pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(ids))),
            "token_type_ids": pa.ListArray.from_arrays(offsets, pa.array(np.concatenate(types))),
            "label": pa.array(examples.labels, label_type),
        }
    )


@dataclass(frozen=True, kw_only=True)
class TokenisedSplit:
    """N tokenised examples end to end.

    The file is memory-mapped. Where it has more than one chunk (of 1,000 examples) its tokens are copied, 5 bytes each.
    """

    input_ids: np.ndarray
    """int32 [S]."""
    token_type_ids: np.ndarray
    """int8 [S]."""
    offsets: np.ndarray
    """int64 [N+1]: example i is the slice offsets[i]:offsets[i+1]."""
    labels: np.ndarray
    """int64 or float64 [N]."""
    pad_token_id: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each example, int64 [N]."""
        return np.diff(self.offsets)

    def batch(
        self, indices: Sequence[int] | np.ndarray, pad_to: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """input_ids, token_type_ids and attention_mask of some examples, LongTensors [B, T], padded on the right.

        T is the longest of them, or `pad_to` where float results must not depend on the company in the batch.

        Raises:
            ValueError: for no indices, or a `pad_to` shorter than an example.
            IndexError: for an index outside 0..N-1.
        """
        at = np.asarray(indices, dtype=np.int64)
        if at.size == 0:
            raise ValueError("a batch needs at least one index")
        if at.min() < 0 or at.max() >= len(self):
            raise IndexError(f"indices from {at.min()} to {at.max()}; expected 0 to {len(self) - 1}")
        starts, lengths = self.offsets[at], self.offsets[at + 1] - self.offsets[at]
        n_columns = int(lengths.max()) if pad_to is None else pad_to
        if n_columns < lengths.max():
            raise ValueError(f"pad_to is {pad_to}; an example has {lengths.max()} tokens")
        column_T = np.arange(n_columns)
        mask_BT = column_T < lengths[:, None]
        source_BT = np.where(mask_BT, starts[:, None] + column_T, 0)
        ids_BT = np.where(mask_BT, self.input_ids[source_BT], self.pad_token_id)
        types_BT = np.where(mask_BT, self.token_type_ids[source_BT], 0)
        ids, types, mask = (torch.from_numpy(x.astype(np.int64)) for x in (ids_BT, types_BT, mask_BT))
        return ids, types, mask


def read_meta(directory: Path) -> dict[str, Any]:
    """meta.json of an artifact: task, n_outputs, is_regression, vocab_size, pad_token_id, max_length, sizes.

    Raises:
        DataError: when the directory holds no tokenised task.
    """
    return artifacts.read_meta(directory, "tokens")


def open_split(directory: Path, split: str) -> TokenisedSplit:
    """One split of an artifact.

    Raises:
        DataError: when it is not there.
    """
    meta = read_meta(directory)
    if split not in meta["sizes"]:
        raise DataError(f"{directory}: no split {split!r}, it has {', '.join(meta['sizes'])}")
    table = read_table(Path(directory) / split)
    input_ids, offsets = list_values(table.column("input_ids"))
    token_type_ids, _ = list_values(table.column("token_type_ids"))
    return TokenisedSplit(
        input_ids=input_ids,
        token_type_ids=token_type_ids,
        offsets=offsets,
        labels=table.column("label").to_numpy(),
        pad_token_id=meta["pad_token_id"],
    )


def _flat(rows: list[list[int]], kind: type) -> np.ndarray:
    return np.fromiter(itertools.chain.from_iterable(rows), dtype=kind)
