"""What a runner asks of the machinery that runs jobs, and the one that needs none: `inline`, in this process."""

import collections
import signal
import threading
from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.call import Call, Outcome
from orchestrator.experiment import Resources
from orchestrator.shared import Mark
from orchestrator.watcher import Watcher
from orchestrator.worker import run_call


class CannotRun(RuntimeError):
    """The jobs can never run here: no such cluster, or resources that no node has. The message has both numbers."""


class ClusterLost(RuntimeError):
    """The cluster has gone in the middle of a run; the message says how. What had come back until then is kept."""


class Backend(Protocol):
    """Runs calls. A call is known by the key that it was submitted under."""

    own_processes: bool
    """Whether calls run in processes of their own, whose output can be caught for the jobs' logs."""
    where: str
    """What it runs on, in words."""

    @property
    def window(self) -> int:
        """How many calls to keep submitted at once."""
        ...

    @property
    def slots(self) -> int:
        """How many calls can run at once."""
        ...

    def check_nodes(self, mark: Mark, artifacts: str) -> str | None:
        """Check that all nodes share the results and can write artifacts; returns what could not be checked, in words.

        Raises:
            CannotRun: when one does not; with its name.
        """
        ...

    def submit(self, key: str, call: Call, wants: Resources, warm_key: str | None) -> None:
        """Queue a call. With a warm key it runs in an actor that has served that key before, if there is one."""
        ...

    def gpus(self, wants: Resources) -> float:
        """How many GPUs, or what fraction of one, each worker of such a job gets here.

        Raises:
            CannotRun: when nothing here can ever give what it wants.
        """
        ...

    def wait(self, seconds: float) -> list[tuple[str, Outcome]]:
        """Outcomes that have come since the last call; waits for the first of them no longer than `seconds`.

        Raises:
            ClusterLost: when there is nothing left to wait for.
        """
        ...

    def withdraw(self) -> None:
        """Take back the calls that have not started: they come back with the status `withdrawn`."""
        ...

    def waiting(self) -> str | None:
        """What queued calls wait for, in words, where it is more than a free slot: nodes that are being started."""
        ...

    def stalled(self) -> str | None:
        """Why nothing starts, in words; None while something runs."""
        ...

    def watchers(self, experiment: str, left: Mapping[str, int]) -> Sequence[Watcher]:
        """What looks on for the machinery: its metrics.

        Args:
            left: jobs to run, by stage.
        """
        ...

    def close(self) -> None:
        """Stop what runs and let go of the machinery."""
        ...


class InlineBackend:
    """One call at a time in this process: for unit tests, debuggers and machines without Ray."""

    window = 1
    slots = 1
    own_processes = False
    where = "inline, in the driver's process"

    def __init__(self, job_timeout: float | None = None):
        self._queue: collections.deque[tuple[str, Call]] = collections.deque()
        self._timeout = job_timeout
        self._withdrawn = False

    def gpus(self, wants: Resources) -> float:
        if wants.workers > 1:
            raise CannotRun(
                f"a job wants {wants.workers} worker processes; the inline backend has this one: use --backend ray, or "
                "ask the experiment for one worker"
            )
        if wants.gpu_required:
            raise CannotRun("this job needs a GPU; the inline backend runs on the CPU: use --backend ray")
        return 0.0

    def check_nodes(self, mark: Mark, artifacts: str) -> str | None:
        return None

    def submit(self, key: str, call: Call, wants: Resources, warm_key: str | None) -> None:
        self._queue.append((key, call))

    def wait(self, seconds: float) -> list[tuple[str, Outcome]]:
        if not self._queue:
            return []
        if self._withdrawn:
            taken = [(key, Outcome(status="withdrawn")) for key, _ in self._queue]
            self._queue.clear()
            return taken
        key, call = self._queue.popleft()
        return [(key, self._run(call))]

    def withdraw(self) -> None:
        self._withdrawn = True

    def _run(self, call: Call) -> Outcome:
        if self._timeout is None or threading.current_thread() is not threading.main_thread():
            return run_call(call)

        def expire(number: int, frame: object) -> None:
            raise TimeoutError(call.job_id)

        before = signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, self._timeout)
        try:
            return run_call(call)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def waiting(self) -> str | None:
        return None

    def stalled(self) -> str | None:
        return None

    def watchers(self, experiment: str, left: Mapping[str, int]) -> Sequence[Watcher]:
        return ()

    def close(self) -> None:
        self._queue.clear()
