"""What looks on while a sweep runs: metrics, a tracker. It changes nothing, and its errors stop nothing."""

from typing import Protocol

from orchestrator.call import Outcome
from orchestrator.experiment import Job


class Watcher(Protocol):
    """Is told of every attempt that has ended."""

    def ended(self, job: Job, outcome: Outcome, attempt: int) -> None:
        """An attempt has ended, well or not. Must return at once."""
        ...

    def close(self) -> None:
        """The run has ended."""
        ...
