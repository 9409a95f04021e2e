"""The stage `protein_data`, which puts the proteins of a split into an artifact, and `open_proteins`, which reads it.

On disk: `<artifact>/proteins/` is a `datasets` Arrow data set with the columns residues (list of uint8) and, where
there are labels, label: int64 for classes and families, float64 for numbers, a list of uint8 for a class a residue, a
list of four int64 for SCOP; `<artifact>/meta.json` says how it was made and what was dropped.

Letters: N proteins, S residues of all of them.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from orchestrator.experiment import Context
from tasks.data.artifacts import list_values, read_meta, read_table, write_meta, write_table
from tasks.data.places import place_here
from tasks.training.seeds import permutation
from tasks.transfer.proteins.parsing import Parsed
from tasks.transfer.proteins.stages import ProteinDataParams, fingerprint, read_proteins
from tasks.transfer.proteins.tasks import Labels, protein_task

STAGE = "protein_data"
COUNTS = ("records", "unknown", "shorter", "longer", "truncated", "rare")


def protein_data(params: ProteinDataParams, context: Context) -> dict[str, Any]:
    """Write the proteins of a split into `context.artifact`; returns no rows.

    Raises:
        DataError: when the data on this machine are missing, bad or not the planned ones.
    """
    if context.artifact is None:
        raise ValueError("the protein_data stage writes an artifact: give context.artifact, an empty directory")
    place = place_here(params.task, context.paths, functools.partial(fingerprint, params.task))
    found = read_proteins(params.task, params.split, place, params)
    n_read = len(found.sequences)
    found = limited(found, params.limit, params.task, params.split)
    info = protein_task(params.task)
    write_table(_table(found, info.labels), context.artifact / "proteins", context.job_id)
    lengths = [len(ids) for ids in found.sequences]
    meta = {
        "stage": STAGE,
        "task": params.task,
        "split": params.split,
        "labels": info.labels,
        "label_names": list(found.label_names),
        "n_outputs": len(found.label_names) if info.labels == "family" else info.n_outputs,
        "proteins": len(found.sequences),
        "proteins_before_limit": n_read,
        "residues": sum(lengths),
        "shortest": min(lengths),
        "longest": max(lengths),
        "counts": {name: int(found.counts[name]) for name in COUNTS},
    }
    write_meta(context.artifact, meta)
    return {}


def limited(found: Parsed, limit: int | None, task: str, split: str) -> Parsed:
    """At most `limit` of the proteins, the same for all sweeps, in their own order; a smaller limit's are among them.

    They are drawn and not the first ones, since published files are sorted by family or by label.
    """
    n_proteins = len(found.sequences)
    if limit is None or limit >= n_proteins:
        return found
    chosen = np.sort(permutation(n_proteins, 0, "limit", "proteins", task, split)[:limit]).tolist()
    return Parsed(
        sequences=[found.sequences[i] for i in chosen],
        labels=[found.labels[i] for i in chosen],
        label_names=found.label_names,
        counts=found.counts,
    )


@dataclass(frozen=True, kw_only=True)
class Proteins:
    """N proteins end to end, mapped from the file."""

    residues: np.ndarray
    """uint8 [S]: ids 1-21."""
    offsets: np.ndarray
    """int64 [N+1]: protein i is the slice offsets[i]:offsets[i+1]."""
    labels: np.ndarray | None
    """int64 or float64 [N]; uint8 [S] where `meta["labels"]` is residues; int64 [N, 4] where it is scop."""
    meta: dict[str, Any]
    """task, split, labels (what they are), label_names, n_outputs, proteins, proteins_before_limit, residues, shortest,
    longest, counts (records of the file; unknown letters read as X; proteins that were shorter, longer, truncated, or
    of rare families)."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Residues of each protein, int64 [N]."""
        return np.diff(self.offsets)

    def sequence(self, i: int) -> np.ndarray:
        """The ids of one protein, int64.

        Raises:
            IndexError: for an index outside 0..N-1.
        """
        if not 0 <= i < len(self):
            raise IndexError(f"protein {i}; expected 0 to {len(self) - 1}")
        return self.residues[self.offsets[i] : self.offsets[i + 1]].astype(np.int64)

    def sequences(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Several of them, for `frame_batch`."""
        return [self.sequence(int(i)) for i in indices]


def open_proteins(directory: Path) -> Proteins:
    """The proteins of an artifact.

    Raises:
        DataError: when it is not there.
    """
    meta = read_meta(directory, STAGE)
    table = read_table(Path(directory) / "proteins")
    residues, offsets = list_values(table.column("residues"))
    labels = None
    if "label" in table.column_names:
        column, kind = table.column("label"), meta["labels"]
        if kind in ("residues", "scop"):
            flat, _ = list_values(column)
            labels = flat.reshape(-1, 4) if kind == "scop" else flat
        else:
            labels = column.to_numpy()
    return Proteins(residues=residues, offsets=offsets, labels=labels, meta=meta)


def _table(found: Parsed, labels: Labels) -> pa.Table:
    columns = {"residues": _lists(found.sequences, np.uint8)}
    if found.labels:
        if labels in ("residues", "scop"):
            kind = np.uint8 if labels == "residues" else np.int64
            columns["label"] = _lists([np.asarray(label) for label in found.labels], kind)
        else:
            columns["label"] = pa.array(found.labels, pa.float64() if labels == "number" else pa.int64())
    return pa.table(columns)


def _lists(rows: list[np.ndarray], kind: type) -> pa.Array:
    offsets = pa.array(np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64))
    return pa.LargeListArray.from_arrays(offsets, pa.array(np.concatenate(rows).astype(kind)))
