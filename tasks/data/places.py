"""Where a job finds the data and the tokenizer of its plan, and whether they are the planned ones. Imports no torch."""

from collections.abc import Mapping

from tasks.data.errors import DataError
from tasks.data.sources import Kind, Source
from tasks.data.tokenizers import TokenizerRef


def places(source: Source, ref: TokenizerRef) -> dict[str, str]:
    """What a stage must know of the place of data and tokenizer, for `Job.paths` and `Context.paths`.

    `kind` and `fingerprint` always; `data` (directory), `revision` (hub), `tokenizer` (directory) where there is one.
    """
    optional = {"data": source.path, "revision": source.revision, "tokenizer": ref.path}
    given = {name: value for name, value in optional.items() if value is not None}
    return {"kind": source.kind, "fingerprint": source.fingerprint, **given}


def read_place(paths: Mapping[str, str]) -> tuple[Kind, str | None, str | None]:
    """Kind, directory and hub revision of the data, from `Context.paths`.

    Raises:
        ValueError: for paths that `places` did not make.
    """
    lacking = [name for name in ("kind", "fingerprint") if name not in paths]
    if lacking:
        raise ValueError(f"context.paths lacks {', '.join(lacking)}; make it with tasks.data.places.places")
    kind = paths["kind"]
    if kind not in ("builtin", "files", "hub"):
        raise ValueError(f"data of kind {kind!r}; expected builtin, files or hub")
    return kind, paths.get("data"), paths.get("revision")


def check_fingerprint(name: str, place: str, here: str, planned: str) -> None:
    """Whether the data here are the planned ones.

    Raises:
        DataError: when not.
    """
    if here != planned:
        raise DataError(
            f"{name} ({place}) was {planned} when the sweep was planned and is {here} here: the data have changed, or "
            "another machine has other data; make them the same and start the sweep again"
        )
