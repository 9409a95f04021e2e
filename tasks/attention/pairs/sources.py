"""Where the sentence pairs of a data set come from: builtin, files, or Multi30k from the hub. Imports no torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.attention.pairs import builtin, files
from tasks.attention.pairs.files import LANGUAGES, SPLITS, Line
from tasks.attention.texts.sources import hub_rows
from tasks.data.errors import DataError
from tasks.data.hub_data import dataset_commit
from tasks.data.places import Place, Source

REPOS = {"multi30k": "bentrevett/multi30k"}
SIZES = {"multi30k": {"train": 29_000, "val": 1_014}}
PARTS = {"train": "train", "val": "validation"}

Languages = tuple[str, str]
"""Languages of source and target; endings of the files, columns of the hub."""


@dataclass(frozen=True, kw_only=True)
class PairSource(Source):
    """One data set by place and content; its sizes leave out pairs with an empty side."""

    languages: Languages


def locate_pairs(
    dataset: str, data_dir: str | None, languages: str | None = None, *, legacy_empty_lines: bool = False
) -> PairSource:
    """Find a data set and take its fingerprint; of files the pairs are counted, so that what is wrong shows early.

    Raises:
        DataError: no such data set, no languages, missing or bad files, or a hub that can be reached neither over the
            network nor in its cache.
    """
    if dataset == builtin.NAME:
        both = builtin.LANGUAGES
        if languages not in (None, "-".join(both)):
            raise DataError(f"{dataset} has the languages {'-'.join(both)}, not {languages}")
        place, sizes = Place(kind="builtin"), {split: len(builtin.pairs(split)) for split in SPLITS}
    else:
        plain = dataset.lower().replace("-", "_")
        dataset = plain if plain in LANGUAGES else dataset
        both = _languages(dataset, languages)
        if data_dir is None:
            commit = dataset_commit(_repo(dataset, both), _remedy(dataset, both))
            place, sizes = Place(kind="hub", revision=commit), SIZES[dataset]
        else:
            root = Path(data_dir).expanduser().absolute()
            place = Place(kind="files", path=str(root))
            sizes = files.count(files.find(dataset, both, root), legacy_empty_lines)
    return PairSource(
        task=dataset,
        kind=place.kind,
        fingerprint=fingerprint(dataset, both, place),
        sizes=sizes,
        path=place.path,
        languages=both,
    )


def fingerprint(dataset: str, languages: Languages, place: Place) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        DataError: missing files.
    """
    return place.pick(builtin.fingerprint, lambda root: files.fingerprint(files.find(dataset, languages, root)), str)


def read(
    dataset: str, split: str, languages: Languages, place: Place, *, legacy_empty_lines: bool = False
) -> Iterator[Line]:
    """The pairs of a split from the place that `locate_pairs` found, those with an empty side included.

    Raises:
        DataError: bad or missing data.
    """
    return place.pick(
        lambda: (Line(*pair, f"builtin pair {i} of {split}") for i, pair in enumerate(builtin.pairs(split), start=1)),
        lambda root: files.read(files.find(dataset, languages, root), split, legacy_empty_lines),
        lambda commit: read_hub(dataset, split, languages, commit),
    )


def read_hub(dataset: str, split: str, languages: Languages, revision: str) -> Iterator[Line]:
    """The pairs of a split at one commit of the hub.

    Raises:
        DataError: it cannot be loaded, is cached at another commit, or lacks a language.
    """
    repo, remedy = _repo(dataset, languages), _remedy(dataset, languages)
    for place, (source, target) in hub_rows(repo, None, PARTS[split], revision, languages, remedy):
        yield Line(source or "", target or "", place)


def _repo(dataset: str, languages: Languages) -> str:
    if dataset not in REPOS:
        raise DataError(f"{dataset} is not on the hub in the published form; {_remedy(dataset, languages)}")
    return REPOS[dataset]


def _remedy(dataset: str, languages: Languages) -> str:
    source, target = languages
    return f"give --data-dir DIR with {dataset}/train.{source}, train.{target}, val.{source} and val.{target}"


def _languages(dataset: str, languages: str | None) -> Languages:
    if languages is None:
        if dataset in LANGUAGES:
            return LANGUAGES[dataset]
        known = ", ".join((builtin.NAME, *LANGUAGES))
        raise DataError(
            f"{dataset!r} is none of {known}; of other pairs give --languages, the endings of the source and target "
            "files as de-en, and --data-dir"
        )
    match = re.fullmatch(r"(\w+)-(\w+)", languages)
    if match is None or match[1] == match[2]:
        raise DataError(f"languages is {languages!r}; expected two endings of files as de-en, the source first")
    return match[1], match[2]
