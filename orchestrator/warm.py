"""Warm workers: processes that keep a model loaded, and serve one call of that model after another.

A worker stays as long as calls of its key wait. When there is no room for a worker of another key, an idle one goes;
one that nobody asks for goes after a few seconds, since it holds CPUs and GPUs that other jobs may wait for.
"""

import collections
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.experiment import Resources

IDLE_SECONDS = 10.0


@dataclass
class Worker:
    handle: Any
    warm_key: str
    wants: Resources
    busy: str | None = None
    """The key of the call that it runs."""
    idle_since: float = field(default_factory=time.monotonic)


@dataclass
class WarmWorkers:
    """Assigns waiting calls to workers. It starts nothing itself."""

    start: Callable[[Resources], Any]
    """Makes a process; returns its handle."""
    stop: Callable[[Any], None]
    room: Callable[[Sequence[Resources]], bool]
    """Whether processes of these resources fit on the cluster together."""
    workers: list[Worker] = field(default_factory=list)
    waiting: collections.deque[tuple[str, Any, Resources, str]] = field(default_factory=collections.deque)

    def add(self, key: str, call: Any, wants: Resources, warm_key: str) -> None:
        """Queue a call."""
        self.waiting.append((key, call, wants, warm_key))

    def assign(self) -> list[tuple[Any, str, Any]]:
        """(handle, key, call) of the waiting calls that can start now."""
        assigned = []
        while self.waiting:
            key, call, wants, warm_key = self.waiting[0]
            worker = self._worker(wants, warm_key)
            if worker is None:
                break
            self.waiting.popleft()
            worker.busy = key
            assigned.append((worker.handle, key, call))
        return assigned

    def _worker(self, wants: Resources, warm_key: str) -> Worker | None:
        idle = [w for w in self.workers if w.busy is None]
        for worker in idle:
            if worker.warm_key == warm_key and worker.wants == wants:
                return worker
        while not self.room([*(w.wants for w in self.workers), wants]) and self.workers:
            if not idle:
                return None
            self._dismiss(idle.pop(0))
        worker = Worker(self.start(wants), warm_key, wants)
        self.workers.append(worker)
        return worker

    def serving(self, key: str) -> Worker | None:
        """The worker that runs this call."""
        return next((w for w in self.workers if w.busy == key), None)

    def release(self, key: str, dead: bool) -> None:
        """A call has ended; where its worker died with it, the worker goes too."""
        worker = self.serving(key)
        if worker is not None:
            worker.busy, worker.idle_since = None, time.monotonic()
            if dead:
                self._dismiss(worker)

    def dismiss_idle(self) -> None:
        """Let workers go that nobody has asked for in a while."""
        if self.workers:
            now = time.monotonic()
            for worker in [w for w in self.workers if w.busy is None and now - w.idle_since > IDLE_SECONDS]:
                self._dismiss(worker)

    def withdraw(self) -> list[str]:
        """Empty the queue; returns the keys of the calls that will not start."""
        keys = [key for key, *_ in self.waiting]
        self.waiting.clear()
        return keys

    def _dismiss(self, worker: Worker) -> None:
        self.workers.remove(worker)
        self.stop(worker.handle)
