"""The 25 words of PLUS-TFM, and which letter is which residue (transfer_analysis 5; parity: `alphabet/*`).

0 padding; 1-20 the amino acids in the order of `RESIDUES`; 21 X, any residue; 22 mask, 23 CLS, 24 SEP. Published code
makes X of every byte that it does not know, so that gaps, stops and text that is no protein pass in silence; here such
bytes can be named, and readers refuse them unless told otherwise.
"""

from collections import Counter

import numpy as np

RESIDUES = "ARNDCQEGHILKMFPSTWYVX"
PAD, UNKNOWN, MASK, CLS, SEP = 0, 21, 22, 23, 24
WORDS = 25
FIRST_RESIDUE, LAST_RESIDUE = 1, 20  # the amino acids, without X

SYNONYMS = {"O": "K", "U": "C", "B": "X", "Z": "X"}
"""Pyrrolysine is read as lysine, selenocysteine as cysteine; B (D or N) and Z (E or Q) are not decided."""

LETTERS = frozenset((RESIDUES + "".join(SYNONYMS)).encode())
"""The bytes that stand for residues."""


def _table() -> np.ndarray:
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    for at, letter in enumerate(RESIDUES, start=FIRST_RESIDUE):
        table[ord(letter)] = at
    for letter, same in SYNONYMS.items():
        table[ord(letter)] = table[ord(same)]
    table.flags.writeable = False
    return table


ENCODING = _table()
"""uint8 [256]: the id of every byte; small letters are no residues here, `encode` makes capitals of them."""


def encode(text: str | bytes) -> np.ndarray:
    """The ids of a sequence in letters of either case, int64 [n]; X for every letter that is none.

    A character beyond ASCII is one X, whatever its bytes.
    """
    content = text.encode("ascii", "replace") if isinstance(text, str) else text
    return ENCODING[np.frombuffer(content.upper(), dtype=np.uint8)].astype(np.int64)


def decode(ids: np.ndarray) -> str:
    """The letters of ids 1-21.

    Raises:
        ValueError: another id.
    """
    wrong = sorted({int(i) for i in np.asarray(ids).ravel()} - set(range(FIRST_RESIDUE, UNKNOWN + 1)))
    if wrong:
        raise ValueError(f"ids {wrong} are no residues; give ids from {FIRST_RESIDUE} to {UNKNOWN}")
    return "".join(RESIDUES[i - FIRST_RESIDUE] for i in np.asarray(ids).ravel())


def unknown_letters(text: str | bytes) -> Counter[str]:
    """How often each character stands there that is no residue, for a message; empty for a good sequence."""
    content = text if isinstance(text, str) else text.decode("latin-1")
    capitals = Counter(content.upper()) if content.isascii() else Counter(content)
    good = {chr(byte) for byte in LETTERS} | {chr(byte).lower() for byte in LETTERS}
    return Counter({letter: n for letter, n in capitals.items() if letter not in good})
