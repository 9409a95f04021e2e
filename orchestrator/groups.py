"""Jobs of several processes: which of them may start now, and what the errors of their members say of the job.

No more groups are started than the cluster has room for, since each that waits for its processes holds two others
meanwhile. They start in the order in which they come, so that a large one is not passed by small ones for ever. Knows
no Ray.
"""

import collections
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.call import Call, Outcome
from orchestrator.experiment import Resources

_ENDS_OF_OTHERS = re.compile(
    r"connection (?:closed|reset|refused|aborted)|broken pipe|remote process (?:has )?exited|socket (?:timeout|closed)"
    r"|failed to recv|peer .*(?:lost|gone)|nccl (?:communicator was aborted|remote)",
    re.IGNORECASE,
)
_SAYS_SO = ("RuntimeError", "ConnectionError", "ConnectionResetError", "BrokenPipeError")


@dataclass
class Groups:
    """The groups that wait for room, and those that run. A group is known by the key of its call."""

    _waiting: collections.deque[tuple[str, Call, Resources]] = field(default_factory=collections.deque)
    _running: dict[str, Resources] = field(default_factory=dict)

    def add(self, key: str, call: Call, wants: Resources) -> None:
        self._waiting.append((key, call, wants))

    def starting(self, room: Callable[[Sequence[Resources]], bool]) -> list[tuple[str, Call, Resources]]:
        """The groups that start now.

        Args:
            room: whether such groups fit on the cluster together. Where none runs the first one starts in any case: a
                cluster that grows must see it wait, and one that has shrunk can say what it lacks.
        """
        started = []
        while self._waiting:
            key, _, wants = self._waiting[0]
            if self._running and not room([*self._running.values(), wants]):
                break
            self._running[key] = wants
            started.append(self._waiting.popleft())
        return started

    @property
    def running(self) -> set[str]:
        """Keys of the groups that have been started, whether or not their members run yet."""
        return set(self._running)

    def ended(self, key: str) -> None:
        """A call has ended, that of a group perhaps: its room is free."""
        self._running.pop(key, None)

    def withdraw(self) -> list[str]:
        """Empty the queue; returns the keys of the groups that will not start."""
        keys = [key for key, *_ in self._waiting]
        self._waiting.clear()
        return keys


def from_others(outcome: Outcome) -> bool:
    """Whether a member's error says that it has lost another one, rather than what is wrong."""
    error = outcome.error or ""
    return (error.startswith("Dist") or error in _SAYS_SO) and bool(_ENDS_OF_OTHERS.search(outcome.message or ""))


def outcome_of(failures: Mapping[int, Outcome], workers: int) -> Outcome:
    """What becomes of a group some of whose members have failed.

    A member that has died makes the job `lost`, whatever the others say, since they fail for want of it. Else the first
    error that is a member's own is the job's; where all of them have but lost each other, the job is `lost` too.

    Args:
        failures: the outcomes of the members that have failed, by rank.
        workers: how many members there are.
    """
    died = [rank for rank, outcome in sorted(failures.items()) if outcome.status == "lost"]
    own = [rank for rank, outcome in sorted(failures.items()) if not from_others(outcome)]
    rank = (died or own or sorted(failures))[0]
    outcome = failures[rank]
    where = f"rank {rank} of {workers}"
    if outcome.status == "lost" or not own:
        return replace(outcome, status="lost", message=f"{where}: {outcome.message}")
    return replace(outcome, traceback=None if outcome.traceback is None else f"On {where}:\n{outcome.traceback}")
