"""What runs on the workers, and what comes back of it.

Ray retries nothing here (the runner does, in its own budgets): a dead worker or a lost node comes back as an outcome
with status `lost`. A job on a GPU gets a fresh process (`max_calls=1`), since an idle worker would keep its GPU memory.
"""

import pickle
import re
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ray
from ray import exceptions

from orchestrator.call import Outcome
from orchestrator.worker import run_call


def _run(calls: bytes, keys: Sequence[str] = (), beacon: Any = None) -> bytes:
    """Run a pickled list of Calls one after another; returns their pickled Outcomes. Bytes cost Ray half of objects."""
    # Ray cancels a call that runs by an interrupt; ignored, `withdraw` takes back only those that have not started.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    outcomes = []
    for i, call in enumerate(pickle.loads(calls)):
        if beacon is not None:
            beacon.started.remote(keys[i])
        outcomes.append(run_call(call))
    return pickle.dumps(outcomes)


run_task = ray.remote(max_retries=0)(_run)
run_fresh = ray.remote(max_retries=0, max_calls=1)(_run)


@ray.remote(max_restarts=0, max_task_retries=0)
class WarmActor:
    """A process that keeps its models between the calls of one warm key."""

    def run(self, calls: bytes, keys: Sequence[str] = (), beacon: Any = None) -> bytes:
        return _run(calls, keys, beacon)


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Beacon:
    """Knows which calls have started: a call may wait long in Ray's queue, and its timeout counts from its start."""

    def __init__(self):
        self._started: list[str] = []

    def started(self, key: str) -> None:
        self._started.append(key)

    def drain(self) -> list[str]:
        started, self._started = self._started, []
        return started


def outcomes_of(ref: Any, count: int) -> list[Outcome]:
    """The outcomes of the `count` calls that ran together; where their process has died, the same for all."""
    try:
        return pickle.loads(ray.get(ref))
    except exceptions.RayError as error:
        outcome = _failure(error)
    if count > 1 and outcome.status == "failed":  # which of them did it is seen when each runs alone
        outcome = replace(outcome, status="lost")
    return [outcome] * count


def _failure(error: exceptions.RayError) -> Outcome:
    match error:
        case exceptions.TaskCancelledError():
            return _no_outcome("withdrawn", "Cancelled", error)
        case exceptions.OutOfMemoryError():
            return _no_outcome("failed", "OutOfMemory", error)
        case exceptions.RuntimeEnvSetupError() | exceptions.TaskUnschedulableError():
            return _no_outcome("failed", type(error).__name__, error)
        case exceptions.RayTaskError():  # the wrapper itself could not run, or its outcome not be sent
            text = re.sub(r"\x1b\[\d+m", "", str(error))  # Ray colours it
            return Outcome(status="failed", error=type(error.cause).__name__, message=str(error.cause), traceback=text)
        case _:  # a dead worker, a lost node, a preempted machine
            return _no_outcome("lost", type(error).__name__, error)


def _no_outcome(status: str, name: str, error: Exception) -> Outcome:
    return Outcome(status=status, error=name, message=str(error).strip(), traceback=None)
