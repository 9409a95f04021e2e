"""The head of the cluster, which may die under a driver that has joined it.

Ray ends a process that has not reached its head for a minute, without a chance to write what is in memory; and what is
asked of the head meanwhile (how many CPUs are there?) does not return, so that the driver would write nothing either.
So the head is asked for a sign of life first, and given up before Ray gives up the driver.
"""

import math
import time
from dataclasses import dataclass

from orchestrator.backend import ClusterLost
from orchestrator.surroundings import answers

ASK_SECONDS = 2.0
PATIENCE_SECONDS = 25.0  # a head that is started again meanwhile is met again; Ray's own patience is 60 s


@dataclass
class Head:
    address: str
    """`host:port`."""
    _asked: float = -math.inf
    _silent_since: float | None = None
    _gone: str | None = None

    def answers(self, now: bool = False) -> bool:
        """Whether the head answers; it is asked every two seconds at most.

        Args:
            now: ask it in any case, before a question of Ray's own, which would not return from a dead head.

        Raises:
            ClusterLost: when it has not answered for 25 s.
        """
        if self._gone is not None:
            raise ClusterLost(self._gone)
        time_now = time.monotonic()
        if now or time_now - self._asked > ASK_SECONDS:
            self._asked = time_now
            if answers(self.address, ASK_SECONDS):
                self._silent_since = None
            elif self._silent_since is None:
                self._silent_since = time_now
        if self._silent_since is None:
            return True
        if time_now - self._silent_since > PATIENCE_SECONDS:
            raise ClusterLost(
                f"the head of the Ray cluster at {self.address} has not answered for {PATIENCE_SECONDS:g} s"
            )
        return False

    def gone(self, why: str) -> None:
        """Give the cluster up at the next look."""
        self._gone = f"the Ray cluster at {self.address} is lost: {why}"
