"""Sentence pairs on disk: `open_pairs` reads what the stage `subword_pairs` wrote.

<split>.source.npy, <split>.target.npy, each with .offsets.npy   ids (int32) end to end; split is train or val
<split>.references.json                                          the target sentences as they were read
subwords.model                                                   SentencePiece's own form
meta.json                                                        names, counts of each split
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.attention.ragged import Ragged
from tasks.data.artifacts import read_meta, write_meta
from tasks.data.errors import DataError

if TYPE_CHECKING:
    from tasks.attention.pairs.subwords import Subwords

STAGE = "subword_pairs"
MODEL = "subwords.model"
SPLITS = ("train", "val")


@dataclass(frozen=True, kw_only=True)
class PairSplit:
    """The pairs of a split; ids are mapped from the files."""

    source: Ragged
    """int32: `<s>` pieces `</s>` of each source."""
    target: Ragged
    """int32: the same of each target."""
    references: list[str]
    """The target sentences as they were read, for BLEU."""

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """A data set of pairs."""

    name: str
    train: PairSplit
    val: PairSplit
    vocab_size: int
    """Pieces of the vocabulary; ids are 0 to this less one: pad 0, bos 1, eos 2, unk 3."""
    subwords: "Subwords"
    meta: dict[str, Any]
    """dataset, languages, and for each split its counts, as in the table `data`."""

    def decode(self, rows: Iterable[Iterable[int]]) -> list[str]:
        """The text of each row of ids; pad, bos and eos are dropped."""
        return self.subwords.decode(rows)


def write_pairs(directory: Path, splits: dict[str, PairSplit], model: bytes, meta: dict[str, Any]) -> None:
    """Write a data set into an empty directory."""
    for split, pairs in splits.items():
        pairs.source.save(directory, f"{split}.source")
        pairs.target.save(directory, f"{split}.target")
        text = json.dumps(pairs.references, ensure_ascii=False, indent=0)
        (directory / f"{split}.references.json").write_text(text, "utf-8")
    (directory / MODEL).write_bytes(model)
    write_meta(directory, {"stage": STAGE, **meta})


def open_pairs(directory: Path) -> Pairs:
    """The data set of an artifact.

    Raises:
        DataError: it is not there, or is another stage's.
    """
    from tasks.attention.pairs.subwords import Subwords

    directory = Path(directory)
    meta = read_meta(directory, STAGE)
    parts = {}
    for split in SPLITS:
        parts[split] = PairSplit(
            source=Ragged.open(directory, f"{split}.source"),
            target=Ragged.open(directory, f"{split}.target"),
            references=json.loads(_there(directory / f"{split}.references.json").read_text("utf-8")),
        )
    subwords = Subwords(_there(directory / MODEL).read_bytes())
    return Pairs(
        name=meta["dataset"],
        train=parts["train"],
        val=parts["val"],
        vocab_size=len(subwords),
        subwords=subwords,
        meta=meta,
    )


def _there(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: no such file; run the job that made this artifact again")
    return path
