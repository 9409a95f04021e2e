"""The stage `subword_pairs`, which trains subwords and encodes sentence pairs, and `pair_report`, which counts them.

`open_pairs` reads what `subword_pairs` wrote:

    <split>.source.npy, <split>.target.npy, each with .offsets.npy   ids (int32) end to end; split is train or val
    <split>.references.json                                          the target sentences as they were read
    subwords.model                                                   SentencePiece's own form
    meta.json                                                        names, counts of each split
"""

import dataclasses
import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.experiment import Context
from tasks.attention.pairs.files import SPLITS, Line
from tasks.attention.pairs.plan import SubwordPairsParams
from tasks.attention.pairs.sources import fingerprint, read
from tasks.attention.pairs.subwords import UNK, Subwords, trained
from tasks.attention.ragged import Ragged, artifact_of, there
from tasks.data.artifacts import read_meta, write_meta
from tasks.data.errors import DataError
from tasks.data.places import place_here
from tasks.training.seeds import permutation

STAGE = "subword_pairs"
MODEL = "subwords.model"


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
    subwords: Subwords
    meta: dict[str, Any]
    """dataset, languages, and for each split its counts, as in the table `data`."""

    @property
    def vocab_size(self) -> int:
        """Pieces of the vocabulary; ids are 0 to this less one: pad 0, bos 1, eos 2, unk 3."""
        return len(self.subwords)


def open_pairs(directory: Path) -> Pairs:
    """The data set of an artifact.

    Raises:
        DataError: it is not there, or is another stage's.
    """
    meta = read_meta(directory, STAGE)
    train, val = (
        PairSplit(
            source=Ragged.open(directory, f"{split}.source"),
            target=Ragged.open(directory, f"{split}.target"),
            references=json.loads(there(directory / f"{split}.references.json").read_text("utf-8")),
        )
        for split in SPLITS
    )
    subwords = Subwords(there(directory / MODEL).read_bytes())
    return Pairs(name=meta["dataset"], train=train, val=val, subwords=subwords, meta=meta)


@dataclass(frozen=True)
class Kept:
    """The sentences of a split, and what was left out."""

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    empty_pairs: int = 0
    empty_sides: int = 0
    first_empty_side: str = ""

    def __len__(self) -> int:
        return len(self.sources)


def subword_pairs(params: SubwordPairsParams, context: Context) -> dict[str, Any]:
    """Write subwords, ids and references into `context.artifact`; returns no rows.

    Raises:
        DataError: when the data on this machine are missing, bad or not the planned ones, or give no such vocabulary.
    """
    artifact, legacy = artifact_of(context, STAGE), params.legacy_empty_lines
    languages = (params.source_language, params.target_language)
    place = place_here(params.dataset, context.paths, lambda here: fingerprint(params.dataset, languages, here))
    where = f"{params.dataset} ({place})"
    kept, found = {}, {}
    for split in SPLITS:
        whole = kept_pairs(read(params.dataset, split, languages, place, legacy_empty_lines=legacy), legacy)
        found[split] = len(whole)
        if not found[split]:
            raise DataError(f"{where}: no pairs in {split}; expected at least one, get the files again")
        kept[split] = limited(whole, split, params)
    text = itertools.chain(kept["train"].sources, kept["train"].targets)
    model = trained(text, params.vocab_size, where)
    (artifact / MODEL).write_bytes(model)
    subwords, counts = Subwords(model), {}
    for split, part in kept.items():
        counts[split] = {
            "pairs": len(part),
            "pairs_found": found[split],
            "empty_pairs": part.empty_pairs,
            "empty_sides": part.empty_sides,
            "first_empty_side": part.first_empty_side,
            **_write_split(artifact, split, part, subwords),
        }
    meta = {"dataset": params.dataset, "languages": languages, "vocab_size": len(subwords), "splits": counts}
    write_meta(artifact, {"stage": STAGE, **meta})
    return {}


def pair_report(params: SubwordPairsParams, context: Context) -> dict[str, Any]:
    """A row of the table `data` for each split."""
    counts = open_pairs(context.needs["data"]).meta["splits"]
    return {"data": [{"split": split, **counts[split]} for split in SPLITS]}


def kept_pairs(lines: Iterable[Line], legacy_empty_lines: bool) -> Kept:
    """The pairs with text on both sides; the others are counted, and the first with one empty side is named.

    Published code keeps empty lines, which become pairs of `<s> </s>`.
    """
    sources, targets, counts, first = [], [], [0, 0, 0], ""
    for line in lines:
        empty = 0 if legacy_empty_lines else line.empty_sides
        counts[empty] += 1
        if not empty:
            sources.append(line.source)
            targets.append(line.target)
        elif empty == 1:
            first = first or line.place
    return Kept(sources, targets, empty_pairs=counts[2], empty_sides=counts[1], first_empty_side=first)


def limited(kept: Kept, split: str, params: SubwordPairsParams) -> Kept:
    """At most so many pairs, the same for all sweeps, in their own order; a smaller limit's are among them."""
    limit = params.limit(split)
    if limit is None or limit >= len(kept):
        return kept
    rows = np.sort(permutation(len(kept), 0, "limit", "pairs", params.dataset, split)[:limit]).tolist()
    sources, targets = ([side[i] for i in rows] for side in (kept.sources, kept.targets))
    return dataclasses.replace(kept, sources=sources, targets=targets)


def _write_split(directory: Path, split: str, kept: Kept, subwords: Subwords) -> dict[str, float | int]:
    """Write ids and references of a split; returns counts of its pieces."""
    source, target = subwords.encode(kept.sources), subwords.encode(kept.targets)
    source.save(directory, f"{split}.source")
    target.save(directory, f"{split}.target")
    text = json.dumps(kept.targets, ensure_ascii=False, indent=0)
    (directory / f"{split}.references.json").write_text(text, "utf-8")
    unknown = int((source.values == UNK).sum() + (target.values == UNK).sum())
    inner = len(source.values) + len(target.values) - 4 * len(kept)
    return {
        "source_tokens": len(source.values),
        "target_tokens": len(target.values),
        "target_positions": len(target.values) - len(kept),
        "longest_source": int(source.lengths.max()),
        "longest_target": int(target.lengths.max()),
        "unknown_share": unknown / max(1, inner),
    }
