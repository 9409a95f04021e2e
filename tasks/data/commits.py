"""The commit at which a hub data set is read, decided once, when the sweep is planned."""

from models import hub
from tasks.data.errors import DataError


def dataset_commit(repo: str, remedy: str) -> str:
    """The commit of a hub data set: the hub's own, or without network that of the local hub cache.

    Raises:
        DataError: when there is neither.
    """
    try:
        return hub.commit(repo, "dataset")
    except hub.HubUnavailable as problem:
        raise DataError(f"the hub data set {repo} is missing ({problem}); {remedy}") from problem
