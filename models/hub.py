"""The commit that a hub repository has now, or had when this machine last saw it."""

import functools
from pathlib import Path
from typing import Literal

TIMEOUT_SECONDS = 10.0  # planning waits no longer than this for a network that is not there


class HubUnavailable(Exception):
    """Neither the hub nor the local cache knows the repository; the message says why in a few words."""


@functools.cache
def commit(repo: str, kind: Literal["dataset", "model"]) -> str:
    """The commit of `repo` on the hub; without network, that of the snapshot in the local hub cache.

    Kept for the life of the process, so that one plan never mixes two revisions. `HF_HUB_OFFLINE` is respected: the hub
    library refuses the request and the cache answers.

    Raises:
        HubUnavailable: when the hub cannot be asked (or refuses) and no snapshot is in the cache.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        if kind == "dataset":
            sha = api.dataset_info(repo, timeout=TIMEOUT_SECONDS).sha
        else:
            sha = api.model_info(repo, timeout=TIMEOUT_SECONDS).sha
    except Exception as problem:  # the HTTP library under the hub's changes between versions, and its errors with it
        cached = cached_commit(repo, kind)
        if cached:
            return cached
        reason = str(problem).strip().splitlines() or [type(problem).__name__]
        raise HubUnavailable(f"{reason[0]} ({type(problem).__name__}), and no snapshot in {_cache()}") from problem
    if not sha:
        raise HubUnavailable(f"the hub names no commit for {repo}")
    return sha


def cached_commit(repo: str, kind: Literal["dataset", "model"]) -> str | None:
    """The commit that `main` was in the local hub cache, else the only one that is there; None when neither is."""
    snapshots = _snapshots(repo, kind)
    found = sorted(p.name for p in snapshots.iterdir()) if snapshots.is_dir() else []
    ref = snapshots.parent / "refs" / "main"
    main = ref.read_text().strip() if ref.is_file() else None
    if main in found:
        return main
    return found[0] if len(found) == 1 else None  # of several none is the right one: guessing would mix revisions


def cached_snapshot(repo: str, kind: Literal["dataset", "model"], commit: str) -> Path | None:
    """Where the local hub cache has the files of one commit, maybe only some of them; None where it has none."""
    folder = _snapshots(repo, kind) / commit
    return folder if folder.is_dir() else None


def _snapshots(repo: str, kind: Literal["dataset", "model"]) -> Path:
    return _cache() / f"{kind}s--{repo.replace('/', '--')}" / "snapshots"


def _cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)
