"""The stage `subword_pairs`, which trains subwords and encodes sentence pairs, and `pair_report`, which counts them."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.attention.pairs.artifact import SPLITS, PairSplit, open_pairs, write_pairs
from tasks.attention.pairs.files import Line
from tasks.attention.pairs.plan import SubwordPairsParams
from tasks.attention.pairs.sources import fingerprint, read
from tasks.attention.pairs.subwords import UNK, Subwords, trained
from tasks.data.errors import DataError
from tasks.data.places import check_fingerprint, read_place
from tasks.training.seeds import numpy_stream

if TYPE_CHECKING:
    from orchestrator.experiment import Context


@dataclass
class Kept:
    """The sentences of a split, and what was left out."""

    sources: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    empty_pairs: int = 0
    empty_sides: int = 0
    first_empty_side: str = ""

    def __len__(self) -> int:
        return len(self.sources)


def subword_pairs(params: SubwordPairsParams, context: "Context") -> dict[str, Any]:
    """Write subwords, ids and references into `context.artifact`; returns no rows.

    Raises:
        DataError: when the data on this machine are missing, bad or not the planned ones, or give no such vocabulary.
    """
    if context.artifact is None:
        raise ValueError("the subword_pairs stage writes an artifact: give context.artifact, an empty directory")
    kind, path, revision = read_place(context.paths)
    languages = (params.source_language, params.target_language)
    here = fingerprint(kind, params.dataset, languages, path, revision)
    check_fingerprint(params.dataset, path or kind, here, context.paths["fingerprint"])
    where = f"{params.dataset} ({path or kind})"
    kept, found = {}, {}
    for split in SPLITS:
        lines = read(
            kind, params.dataset, split, languages, path, revision, legacy_empty_lines=params.legacy_empty_lines
        )
        whole = kept_pairs(lines, params.legacy_empty_lines)
        found[split] = len(whole)
        if not found[split]:
            raise DataError(f"{where}: no pairs in {split}; expected at least one, get the files again")
        kept[split] = limited(whole, split, params)
    text = itertools.chain(kept["train"].sources, kept["train"].targets)
    model = trained(text, params.vocab_size, where)
    subwords = Subwords(model)
    splits, counts = {}, {}
    for split, part in kept.items():
        pairs = PairSplit(
            source=subwords.encode(part.sources), target=subwords.encode(part.targets), references=part.targets
        )
        splits[split] = pairs
        counts[split] = {
            "pairs": len(pairs),
            "pairs_found": found[split],
            "empty_pairs": part.empty_pairs,
            "empty_sides": part.empty_sides,
            "first_empty_side": part.first_empty_side,
            **_lengths(pairs),
        }
    meta = {"dataset": params.dataset, "languages": languages, "vocab_size": len(subwords), "splits": counts}
    write_pairs(context.artifact, splits, model, meta)
    return {}


def pair_report(params: SubwordPairsParams, context: "Context") -> dict[str, Any]:
    """A row of the table `data` for each split."""
    counts = open_pairs(context.needs["data"]).meta["splits"]
    return {"data": [{"split": split, **counts[split]} for split in SPLITS]}


def kept_pairs(lines: Iterable[Line], legacy_empty_lines: bool) -> Kept:
    """The pairs with text on both sides; the others are counted, and the first with one empty side is named.

    Published code keeps empty lines, which become pairs of `<s> </s>` (quirk T6).
    """
    kept = Kept()
    for line in lines:
        empty = line.empty_sides
        if empty and not legacy_empty_lines:
            kept.empty_pairs += empty == 2
            kept.empty_sides += empty == 1
            kept.first_empty_side = kept.first_empty_side or (line.place if empty == 1 else "")
            continue
        kept.sources.append(line.source)
        kept.targets.append(line.target)
    return kept


def limited(kept: Kept, split: str, params: SubwordPairsParams) -> Kept:
    """At most so many pairs, the same for all sweeps, in their own order; a smaller limit's are among them."""
    limit = params.limit(split)
    if limit is None or limit >= len(kept):
        return kept
    raw = numpy_stream(0, "limit", "pairs", params.dataset, split).bit_generator.random_raw(len(kept))
    rows = np.sort(np.argsort(raw, kind="stable")[:limit]).tolist()
    return Kept(
        sources=[kept.sources[i] for i in rows],
        targets=[kept.targets[i] for i in rows],
        empty_pairs=kept.empty_pairs,
        empty_sides=kept.empty_sides,
        first_empty_side=kept.first_empty_side,
    )


def _lengths(pairs: PairSplit) -> dict[str, float | int]:
    source, target = pairs.source, pairs.target
    unknown = int((source.values == UNK).sum() + (target.values == UNK).sum())
    inner = len(source.values) + len(target.values) - 4 * len(pairs)
    return {
        "source_tokens": len(source.values),
        "target_tokens": len(target.values),
        "target_positions": len(target.values) - len(pairs),
        "longest_source": int(source.lengths.max()),
        "longest_target": int(target.lengths.max()),
        "unknown_share": unknown / max(1, inner),
    }
