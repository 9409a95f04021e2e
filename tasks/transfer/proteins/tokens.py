"""From residues to the token ids that a model reads: the 25 words of PLUS-TFM, framing, token tables (README 7).

PLUS reads [CLS] residues [SEP] in words of its own: 0 padding; 1-20 the amino acids in the order of `RESIDUES`; 21 X,
any residue; 22 mask, 23 CLS, 24 SEP. A text encoder gets the same residue ids beside the special tokens of its own
tokenizer, all of them mapped through a table: a permutation T of its ids 0 … V-1. With r = 1000 reserved ids, T[i] for
i < V - r is a random permutation of r … V-1, and T[V - r + j] = j for j < r: the low ids of residues and special tokens
become ordinary word pieces (the first thousand ids of BERT are unused or special ones). A vocabulary of fewer than 2000
ids reserves half of them.

Letters: B sequences, T tokens, V ids of a vocabulary.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data.errors import DataError
from tasks.training.seeds import permutation

RESIDUES = "ARNDCQEGHILKMFPSTWYVX"
PAD, UNKNOWN, MASK, CLS, SEP = 0, 21, 22, 23, 24
WORDS = 25
FIRST_RESIDUE, LAST_RESIDUE = 1, 20  # the amino acids, without X

SYNONYMS = {"O": "K", "U": "C", "B": "X", "Z": "X"}
"""Pyrrolysine is read as lysine, selenocysteine as cysteine; B (D or N) and Z (E or Q) are not decided."""
LETTERS = frozenset((RESIDUES + "".join(SYNONYMS)).encode())
"""The bytes that stand for residues. Readers refuse others; published code makes X of them in silence."""
RESERVED = 1000


def _encoding() -> np.ndarray:
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    for at, letter in enumerate(RESIDUES, start=FIRST_RESIDUE):
        table[ord(letter)] = at
    for letter, same in SYNONYMS.items():
        table[ord(letter)] = table[ord(same)]
    table.flags.writeable = False
    return table


ENCODING = _encoding()
"""uint8 [256]: the id of every byte; small letters are no residues here, `encode` makes capitals of them."""


def encode(text: str | bytes) -> np.ndarray:
    """The ids of a sequence in letters of either case, int64 [n]; X for every letter that is none.

    A character beyond ASCII is one X, whatever its bytes.
    """
    content = text.encode("ascii", "replace") if isinstance(text, str) else text
    return ENCODING[np.frombuffer(content.upper(), dtype=np.uint8)].astype(np.int64)


def unknown_letters(content: bytes) -> Counter[str]:
    """How often each character stands there that is no residue, for a message; empty for a good sequence."""
    return Counter(chr(byte) for byte in content.upper() if byte not in LETTERS)


@dataclass(frozen=True)
class Framed:
    """A batch as PLUS reads it."""

    tokens: np.ndarray
    """int64 [B, T]."""
    mask: np.ndarray
    """bool [B, T]: False at padding."""


def frame_batch(sequences: Sequence[np.ndarray], max_length: int) -> Framed:
    """Several proteins as [CLS] residues [SEP], cut at their ends and padded on the right to the longest of them.

    Raises:
        ValueError: no sequences, or a `max_length` without room for a residue.
    """
    if not len(sequences):
        raise ValueError("a batch needs at least one sequence")
    if max_length < 3:
        raise ValueError(f"max_length is {max_length}: give at least 3, a residue and the special tokens")
    lengths = np.array([min(len(sequence), max_length - 2) + 2 for sequence in sequences])
    tokens_BT = np.full((len(sequences), lengths.max()), PAD, dtype=np.int64)
    for tokens_T, sequence, length in zip(tokens_BT, sequences, lengths, strict=True):
        tokens_T[0], tokens_T[1 : length - 1], tokens_T[length - 1] = CLS, sequence[: length - 2], SEP
    return Framed(tokens_BT, np.arange(lengths.max()) < lengths[:, None])


def reserved_ids(vocab_size: int) -> int:
    """r: ids that neither residues nor special tokens become."""
    return min(RESERVED, vocab_size // 2)


def token_table(vocab_size: int, seed: int) -> np.ndarray:
    """The table of a vocabulary of V ids, int32 [V]; it depends on V and the seed alone, on every machine.

    Raises:
        ValueError: fewer than 2 ids.
    """
    if vocab_size < 2:
        raise ValueError(f"vocab_size is {vocab_size}: give at least 2")
    kept = reserved_ids(vocab_size)
    drawn = kept + permutation(vocab_size - kept, seed, "token table", vocab_size)
    return np.concatenate([drawn, np.arange(kept)]).astype(np.int32)


def read_table(path: str | Path, vocab_size: int | None = None) -> np.ndarray:
    """A table from an .npy file of whole numbers, int32 [V]; any permutation.

    Raises:
        DataError: missing, no .npy of whole numbers in one dimension, another number of ids than `vocab_size`, or no
            permutation of 0 … V-1; the message says which ids are wrong.
    """
    place = Path(path)
    if not place.is_file():
        raise DataError(f"{place}: no such file; give an .npy file with one whole number an id")
    try:
        table = np.load(place, allow_pickle=False)
    except (ValueError, OSError, EOFError) as problem:
        raise DataError(
            f"{place}: no array that NumPy reads without pickles ({problem}); save it with np.save"
        ) from None
    if not isinstance(table, np.ndarray) or table.ndim != 1 or table.dtype.kind not in "iu":
        form = f"{table.dtype} {list(table.shape)}" if isinstance(table, np.ndarray) else "several arrays"
        raise DataError(f"{place}: {form}; give whole numbers in one dimension, one an id")
    if vocab_size is not None and len(table) != vocab_size:
        raise DataError(f"{place}: {len(table)} ids; the model has {vocab_size}: give a table made for its vocabulary")
    outside = np.flatnonzero((table < 0) | (table >= len(table)))
    if len(outside):
        at = int(outside[0])
        raise DataError(f"{place}: id {at} becomes {table[at]}, {len(outside)} are outside of 0 to {len(table) - 1}")
    counts = np.bincount(table, minlength=len(table))
    if (counts != 1).any():
        lost, twice = np.flatnonzero(counts == 0), np.flatnonzero(counts > 1)
        raise DataError(
            f"{place}: no permutation: {len(lost)} ids are never reached (the first is {lost[0]}), "
            f"{len(twice)} more than once (the first is {twice[0]})"
        )
    return table.astype(np.int32)


def table_revision(table: np.ndarray) -> str:
    """16 hex digits that tell a table's content, for a job's identity."""
    return hashlib.sha256(table.astype("<i4").tobytes()).hexdigest()[:16]
