"""Token tables, which make word pieces of what is no text, and the alphabets of DNA, proteins and music under them.

A table is a permutation T of the ids 0 … V-1 of a text model. With r = 1000 reserved ids, T[i] for i < V - r is a
random permutation of r … V-1, and T[V - r + j] = j for j < r: the low ids that amino acids, nucleotides, pitches and
special tokens have become ordinary word pieces (the first thousand ids of BERT are unused or special ones). A
vocabulary of fewer than 2000 ids reserves half of them. Source: transfer_analysis 11.1, 11.4, 11.5.

The published generator seeded one library and drew from another, so that its tables cannot be made again; here a table
depends on V and the seed alone, on every machine.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.data.errors import DataError
from tasks.training.seeds import numpy_stream
from tasks.transfer.proteins import alphabets as protein

RESERVED = 1000


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """What a kind of data is written in before a table maps it."""

    name: str
    letters: Mapping[str, int]
    """The raw id of each letter; empty where there are none (pitches)."""
    raw_ids: tuple[int, ...]
    """All raw ids that data of this kind use, beside special tokens."""


DNA = Alphabet(
    name="dna",
    # The published ids for the Chinese BERT. Other models read blanks between nucleotides, each its own word piece.
    letters=dict(zip("ATCGNDRS", range(1, 9), strict=True)),
    raw_ids=tuple(range(1, 9)),
)
PROTEIN = Alphabet(
    name="protein",
    letters={letter: int(protein.ENCODING[ord(letter)]) for letter in protein.RESIDUES + "".join(protein.SYNONYMS)},
    raw_ids=tuple(range(protein.FIRST_RESIDUE, protein.UNKNOWN + 1)),
)
PITCHES = 128
MUSIC = Alphabet(name="music", letters={}, raw_ids=tuple(range(PITCHES, 2 * PITCHES)))
ALPHABETS: dict[str, Alphabet] = {a.name: a for a in (DNA, PROTEIN, MUSIC)}


def reserved_ids(vocab_size: int) -> int:
    """r: ids that data of an alphabet never become."""
    return min(RESERVED, vocab_size // 2)


def token_table(vocab_size: int, seed: int) -> np.ndarray:
    """The table of a vocabulary of V ids, int32 [V].

    Raises:
        ValueError: fewer than 2 ids.
    """
    if vocab_size < 2:
        raise ValueError(f"vocab_size is {vocab_size}; give 2 or more")
    kept = reserved_ids(vocab_size)
    # The raw stream, which NumPy promises to keep; its distributions may change.
    raw = numpy_stream(seed, "token table", vocab_size).bit_generator.random_raw(vocab_size - kept)
    return np.concatenate([kept + np.argsort(raw, kind="stable"), np.arange(kept)]).astype(np.int32)


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


def check_alphabet(alphabet: Alphabet, specials: Sequence[int], table: np.ndarray) -> None:
    """Whether all raw ids of an alphabet and of the special tokens beside it are ids of the table.

    Raises:
        ValueError: with the largest raw id and the table's size when not.
    """
    largest = max(*alphabet.raw_ids, *specials)
    if largest >= len(table):
        raise ValueError(
            f"{alphabet.name} needs raw ids up to {largest}; the table has {len(table)}: take a larger vocabulary"
        )


def encode_dna(text: str) -> np.ndarray:
    """Raw ids of a sequence of nucleotides in either case, int64 [n].

    Raises:
        ValueError: letters that stand for none, counted.
    """
    capitals = text.upper()
    wrong = {letter: capitals.count(letter) for letter in sorted(set(capitals) - set(DNA.letters))}
    if wrong:
        raise ValueError(f"no nucleotides: {wrong}; the letters are {''.join(DNA.letters)}")
    return np.array([DNA.letters[letter] for letter in capitals], dtype=np.int64)


def encode_pitches(pitches: Sequence[int] | np.ndarray) -> np.ndarray:
    """Raw ids of MIDI pitches 0-127: pitch + 128, int64 [n].

    Raises:
        ValueError: another pitch.
    """
    found = np.asarray(pitches)
    if found.dtype.kind not in "iu":
        raise ValueError(f"pitches are {found.dtype}; give whole numbers")
    wrong = sorted({int(p) for p in found[(found < 0) | (found >= PITCHES)]})
    if wrong:
        raise ValueError(f"no MIDI pitches: {wrong}; they are 0 to {PITCHES - 1}")
    return found.astype(np.int64) + PITCHES
