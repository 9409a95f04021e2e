"""Where the sentence pairs of a data set come from. Imports no torch."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasks.attention.pairs import builtin, files, hub
from tasks.attention.pairs.files import LANGUAGES, SPLITS, Line
from tasks.data.errors import DataError
from tasks.data.sources import Kind


@dataclass(frozen=True, kw_only=True)
class PairSource:
    """One data set by place and content."""

    dataset: str
    kind: Kind
    fingerprint: str
    """Hash of the pairs (builtin) or files, or the hub's commit."""
    languages: tuple[str, str]
    """Of source and target; endings of the files, columns of the hub."""
    sizes: Mapping[str, int]
    """Pairs of each split, those that are left out not counted. The hub's are those of the published data set: nothing
    is downloaded to plan."""
    path: str | None = None
    """The data directory, absolute, for `files`."""

    @property
    def places(self) -> dict[str, str]:
        """For `Job.paths`; `tasks.data.places.read_place` reads it."""
        revision = {"revision": self.fingerprint} if self.kind == "hub" else {}
        data = {} if self.path is None else {"data": self.path}
        return {"kind": self.kind, "fingerprint": self.fingerprint, **data, **revision}


def locate_pairs(
    dataset: str, data_dir: str | None, languages: str | None = None, *, legacy_empty_lines: bool = False
) -> PairSource:
    """Find a data set and take its fingerprint; of files the pairs are counted, so that what is wrong shows early.

    Raises:
        DataError: no such data set, no languages, missing or bad files, or a hub that can be reached neither over the
            network nor in its cache.
    """
    if dataset == builtin.NAME:
        if languages not in (None, "-".join(builtin.LANGUAGES)):
            raise DataError(f"{dataset} has the languages {'-'.join(builtin.LANGUAGES)}, not {languages}")
        sizes = {split: len(builtin.pairs(split)) for split in SPLITS}
        return PairSource(
            dataset=dataset,
            kind="builtin",
            fingerprint=builtin.fingerprint(),
            languages=builtin.LANGUAGES,
            sizes=sizes,
        )
    plain = dataset.lower().replace("-", "_")
    dataset = plain if plain in LANGUAGES else dataset
    both = _languages(dataset, languages)
    if data_dir is None:
        revision = hub.resolve_revision(dataset, both)
        return PairSource(dataset=dataset, kind="hub", fingerprint=revision, languages=both, sizes=hub.SIZES[dataset])
    root = Path(data_dir).expanduser().absolute()
    found = files.find(dataset, both, root)
    return PairSource(
        dataset=dataset,
        kind="files",
        fingerprint=files.fingerprint(found),
        languages=both,
        sizes=files.count(found, legacy_empty_lines),
        path=str(root),
    )


def fingerprint(kind: Kind, dataset: str, languages: tuple[str, str], path: str | None, revision: str | None) -> str:
    """The fingerprint of the data on this machine, to be compared with the planned one.

    Raises:
        ValueError: when what the kind needs (path or revision) is None.
        DataError: missing files.
    """
    if kind == "builtin":
        return builtin.fingerprint()
    if kind == "files":
        return files.fingerprint(files.find(dataset, languages, Path(_given(path, "path", kind))))
    return _given(revision, "revision", kind)


def read(
    kind: Kind,
    dataset: str,
    split: str,
    languages: tuple[str, str],
    path: str | None,
    revision: str | None,
    *,
    legacy_empty_lines: bool = False,
) -> Iterator[Line]:
    """The pairs of a split from the place that `locate_pairs` found, those with an empty side included.

    Raises:
        ValueError: when what the kind needs (path or revision) is None.
        DataError: bad or missing data.
    """
    if kind == "builtin":
        for number, pair in enumerate(builtin.pairs(split), start=1):
            yield Line(pair.source, pair.target, f"builtin pair {number} of {split}")
    elif kind == "files":
        found = files.find(dataset, languages, Path(_given(path, "path", kind)))
        yield from files.read(found, split, legacy_empty_lines)
    else:
        yield from hub.read(dataset, split, languages, _given(revision, "revision", kind))


def _languages(dataset: str, languages: str | None) -> tuple[str, str]:
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


def _given(value: str | None, name: str, kind: Kind) -> str:
    if value is None:
        raise ValueError(f"data of kind {kind!r} need a {name}")
    return value
