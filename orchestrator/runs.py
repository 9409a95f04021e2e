"""Names of runs: they sort as the runs began, whatever the clocks of the machines that began them say."""

import datetime
import re
import secrets
from collections.abc import Iterable

RUN = re.compile(r"\d{8}T\d{6}-[0-9a-f]{4,8}")
_SECONDS = "%Y%m%dT%H%M%S"


def new_run_id(runs: Iterable[str] = ()) -> str:
    """`20261121T093000-0f42a1b7`: sorts by time (five digits of microseconds, three at random).

    Args:
        runs: the runs of the store. The new one sorts after them all, since of two runs' rows the later run's count: a
            machine whose clock is a day behind names its run by the newest one's time and a second.
    """
    now = datetime.datetime.now(datetime.UTC)
    run = _named(now)
    newer = [began for other in runs if other >= run and (began := _began(other)) is not None]
    if newer:
        run = _named(max(newer).replace(microsecond=now.microsecond) + datetime.timedelta(seconds=1))
    return run


def _named(time: datetime.datetime) -> str:
    return f"{time:{_SECONDS}}-{time.microsecond:05x}{secrets.randbelow(16**3):03x}"


def _began(run: str) -> datetime.datetime | None:
    """When a run was named, in whole seconds; None for a folder that is no run's."""
    if RUN.fullmatch(run) is None:
        return None
    try:
        return datetime.datetime.strptime(run.partition("-")[0], _SECONDS).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
