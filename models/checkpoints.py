"""Which weights a model name means: a local directory, or a hub model at one commit.

The plan asks this before anything runs, so that the revision is part of every job's identity. Light on purpose: neither
torch nor transformers is imported here.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from models import hub


class ModelError(ValueError):
    """A model cannot be found. One line: what is missing and what to give."""


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """A model whose bytes are known."""

    name: str
    """The hub name, or the last part of the directory's path: a checkpoint that is moved stays the same model."""
    revision: str
    """The hub's commit, or 16 hex digits over config.json and the safetensors files of the directory."""
    path: str | None
    """The local directory; None for the hub."""
    pickled: bool = False
    """Whether weights may be read from `pytorch_model.bin` where there are no safetensors."""


def resolve_model(name: str, pickled: bool = False) -> ModelRef:
    """Return the model that `name` means: a directory when there is one of that name, else a hub model.

    `pickled` says that its weights may be those of `pytorch_model.bin` where it has no safetensors.

    The hub is asked for the commit of the main branch; without network the commit in the local cache is taken.

    Raises:
        ModelError: a directory without config.json or safetensors, or a hub name that neither hub nor cache knows.
    """
    if not name.strip():
        raise ModelError("the model name is empty; give a hub name or a directory: --model DIR")
    directory = Path(name).expanduser()
    if directory.is_dir():
        directory = directory.resolve()
        revision = directory_revision(directory, pickled)
        return ModelRef(name=directory.name, revision=revision, path=str(directory), pickled=pickled)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelError(f"there is no directory {name}; give one with config.json and safetensors: --model DIR")
    try:
        return ModelRef(name=name, revision=hub.commit(name, "model"), path=None, pickled=pickled)
    except hub.HubUnavailable as problem:
        raise ModelError(
            f"the hub model {name} is missing ({problem}); correct the name, or give a directory with config.json and "
            "safetensors: --model DIR"
        ) from problem


def directory_revision(directory: Path, pickled: bool = False) -> str:
    """The first 16 hex digits of SHA-256 over names and contents of config.json and all `*.safetensors`.

    With `pickled`, a directory without any is known by its `pytorch_model*.bin` instead. Nothing is unpickled here.

    Raises:
        ModelError: one of them is missing.
    """
    config, weights = directory / "config.json", sorted(directory.glob("*.safetensors"))
    bins = sorted(directory.glob("pytorch_model*.bin"))
    if not config.is_file():
        raise ModelError(f"{directory} has no config.json; give a directory that save_pretrained wrote: --model DIR")
    weights = weights or (bins if pickled else [])
    if not weights:
        found = f"{bins[0].name} is not read unless --pickled-weights allows it" if bins else "nor any other weights"
        raise ModelError(f"{directory} has no *.safetensors ({found}); save it again: --model DIR")
    digest = hashlib.sha256()
    for path in (config, *weights):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}:{content}\n".encode())
    return digest.hexdigest()[:16]
