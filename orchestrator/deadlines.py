"""Timeouts of calls, counted from their start: a call may wait long in a queue before."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.call import Outcome


@dataclass
class Deadlines:
    """Which running calls are overdue. A call is known by its key."""

    seconds: float
    _began: dict[str, float] = field(default_factory=dict)
    _expired: set[str] = field(default_factory=set)

    def started(self, keys: Iterable[str]) -> None:
        """These calls run now."""
        now = time.monotonic()
        for key in keys:
            self._began.setdefault(key, now)

    def forget(self, keys: Iterable[str]) -> None:
        """These calls have ended, although their outcomes come later: those of a bundle come together."""
        for key in keys:
            self._began.pop(key, None)

    def overdue(self) -> list[str]:
        """Calls whose time is up; each is named once."""
        now = time.monotonic()
        late = [k for k, began in self._began.items() if now - began > self.seconds and k not in self._expired]
        self._expired.update(late)
        return late

    def ended(self, key: str, outcome: Outcome) -> Outcome:
        """The outcome of a call, as `timeout` where it was stopped for that; one that was just in time stays."""
        self._began.pop(key, None)
        if key not in self._expired:
            return outcome
        self._expired.discard(key)
        if outcome.status not in ("lost", "withdrawn"):
            return outcome
        message = f"not done after --job-timeout {self.seconds:g} seconds"
        return Outcome(status="timeout", error="JobTimeout", message=message, seconds=self.seconds)
