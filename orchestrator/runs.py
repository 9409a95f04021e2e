"""Runs: their names, which sort as they began, what each is asked and what comes of it."""

import datetime
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.code import code_digest
from orchestrator.shared import Mark

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


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    attempts: int = 2
    """How often a job that raises is tried."""
    max_worker_failures: int = 10
    """How often a job is tried again after its worker died or its node was lost."""
    code: str | None = None
    """The digest that workers must have; None: not checked."""
    mark: Mark | None = None
    """A file of this run in the results that workers must see; None: not checked."""


@dataclass
class RunReport:
    """What a run did. `failed`, `blocked` and `stopped` are job ids; `blocked` names the job each waits for in vain."""

    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Job id to its last status: failed, timeout or lost."""
    blocked: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    """Jobs not tried, since their stage was stopped."""
    left: int = 0
    """Jobs not run because of an interrupt."""
    cluster: str | None = None
    """Why the run ended early, where the cluster has gone."""
    unwritten: int = 0
    """Attempts whose rows could not be written; their jobs run again."""

    @property
    def good(self) -> bool:
        return not (self.failed or self.blocked or self.stopped or self.left or self.unwritten or self.cluster)

    @property
    def exit_code(self) -> int:
        """0 good, 1 failures, 130 interrupted."""
        if self.left and self.cluster is None:
            return 130
        return 0 if self.good else 1


def run_options(attempts: int, max_worker_failures: int, mark: Mark | None = None) -> RunOptions:
    """Options of a run whose workers must have this driver's code, and see its mark."""
    return RunOptions(attempts=attempts, max_worker_failures=max_worker_failures, code=code_digest(), mark=mark)
