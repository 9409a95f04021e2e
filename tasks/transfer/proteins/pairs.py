"""Pairs of proteins from published TSV files, and contact maps from their images (transfer_analysis 6).

homology: columns pdb_id_A, pdb_id_B, sequence_A, sequence_B, similarity (0-4 common SCOP levels). pfam: sequence_A,
sequence_B, is_samefamily (0 or 1). No stage reads them: they are for training and evaluation of models of pairs.

Letters: N pairs, n residues of one protein.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tasks.data.errors import DataError
from tasks.transfer.proteins.alphabets import encode
from tasks.transfer.proteins.records import Record, check_letters, number, table_rows

PairTask = Literal["homology", "pfam"]
SEQUENCES = ("sequence_A", "sequence_B")
LABELS: dict[PairTask, tuple[str, int]] = {"homology": ("similarity", 4), "pfam": ("is_samefamily", 1)}
"""The column with the label, and the largest one."""
IDS = ("pdb_id_A", "pdb_id_B")
NAME_LENGTH = 7  # of a contact map's file: a SCOP domain such as d1abca_
MAP_GREYS = {0: 0, 1: -1, 255: 1}  # no contact, not resolved, contact


@dataclass(frozen=True)
class Pairs:
    """N pairs."""

    first: list[np.ndarray]
    """Ids, uint8."""
    second: list[np.ndarray]
    labels: np.ndarray
    """homology: similarity, float64; pfam: int64 0 or 1; [N]."""
    ids: list[tuple[str, str]]
    """Names of the domains; empty for pfam."""


def read_pairs(path: Path, task: PairTask, legacy_unknown: bool = False) -> Pairs:
    """The pairs of a file in its order; `legacy_unknown` reads bytes that are no residues as X.

    Raises:
        ValueError: another task.
        DataError: another extension than .tsv, a missing file or column, a line with another number of fields, an
            empty sequence, bytes that are no residues, a label that is no number or out of range, no pairs.
    """
    if task not in LABELS:
        raise ValueError(f"task is {task!r}; pairs are there for {', '.join(LABELS)}")
    path = Path(path)
    if path.suffix.lower() != ".tsv":
        raise DataError(f"{path}: {path.suffix or 'no extension'}; pairs are read from .tsv")
    name, largest = LABELS[task]
    ids = IDS if task == "homology" else ()
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    labels, names = [], []
    for line, fields in table_rows(path, (*ids, *SEQUENCES, name)):
        where = f"{path}:{line}"
        for side, column in zip(sides, SEQUENCES, strict=True):
            content = fields[column].strip().encode("latin-1").upper()
            record = Record(f"{where}: {column}", "", ((line, content),))
            if not content:
                raise DataError(f"{where}: {column} has no residues; mend or remove the line")
            if not legacy_unknown:
                check_letters(record)
            side.append(encode(content).astype(np.uint8))
        label = number(fields[name], where, name)
        if not 0 <= label <= largest or (task == "pfam" and label != int(label)):
            expected = "0 or 1" if task == "pfam" else f"a number from 0 to {largest}"
            raise DataError(f"{where}: {name} {fields[name]!r}, expected {expected}; mend the line")
        labels.append(label)
        if ids:
            names.append((fields[IDS[0]], fields[IDS[1]]))
    if not labels:
        raise DataError(f"{path}: no pairs below the header; give a file with some")
    return Pairs(*sides, np.array(labels, dtype=np.float64 if task == "homology" else np.int64), names)


def read_contact_map(path: Path) -> np.ndarray:
    """int8 [n, n]: 1 contact, 0 none, -1 not counted: not resolved, or on or below the first superdiagonal.

    Neighbours in the chain always touch, and the map is symmetric.

    Raises:
        DataError: missing, no PNG, a name that is not of 7 characters, no square grey image, or other greys than 0, 1
            and 255.
    """
    from matplotlib.image import imread

    path = Path(path)
    if path.suffix.lower() != ".png" or len(path.stem) != NAME_LENGTH:
        raise DataError(f"{path}: expected a PNG with the {NAME_LENGTH} characters of a domain as its name")
    if not path.is_file():
        raise DataError(f"{path}: no such file; give the contact map of this domain")
    try:
        image = imread(path, format="png")
    except (OSError, SyntaxError, ValueError) as problem:
        raise DataError(f"{path}: no PNG ({problem}); get the file again") from None
    if image.ndim != 2 or image.shape[0] != image.shape[1]:
        raise DataError(f"{path}: an image of shape {list(image.shape)}; expected a square one of greys")
    # The library reads eight bits as shares of 255, and one bit as a share of 1.
    grey = np.rint(np.asarray(image, dtype=np.float64) * 255).astype(np.int64)
    wrong = sorted(set(np.unique(grey).tolist()) - set(MAP_GREYS))
    if wrong:
        raise DataError(f"{path}: greys {wrong[:8]}; expected 0 (no contact), 1 (not resolved) and 255 (contact)")
    contacts = np.zeros(grey.shape, dtype=np.int8)
    for shade, meaning in MAP_GREYS.items():
        contacts[grey == shade] = meaning
    contacts[np.tril_indices(len(contacts), k=1)] = -1
    return contacts
