"""Which jobs may start: counters of the needs that each job waits for, so that no event costs a scan over all jobs."""

import heapq
from collections.abc import Collection

from orchestrator.plan import Plan


class Ready:
    """The jobs `left` of a plan, handed out when all that they need is done, those of one warm key together."""

    def __init__(self, plan: Plan, left: Collection[str]):
        self._plan = plan
        # Sorted by warm key, so that an actor serves all jobs of its model before another is loaded.
        self._ids = sorted(left, key=dict(zip(plan.jobs, range(len(plan.jobs)), strict=True)).__getitem__)
        self._ids.sort(key=lambda job_id: plan.jobs[job_id].warm_key)
        self._rank = {job_id: rank for rank, job_id in enumerate(self._ids)}
        self._heap: list[int] = []
        self._waits: dict[str, int] = {}
        self.blocked: dict[str, str] = {}
        """Jobs that can never start, with the id of the job that they need and that failed."""
        for rank, job_id in enumerate(self._ids):
            if waits := len({need.id for need in plan.jobs[job_id].needs.values()} & self._rank.keys()):
                self._waits[job_id] = waits
            else:
                self._heap.append(rank)  # ascending numbers are a heap

    def __bool__(self) -> bool:
        return bool(self._heap)

    def push(self, job_id: str) -> None:
        """Let a job start (again)."""
        heapq.heappush(self._heap, self._rank[job_id])

    def pop(self) -> str:
        """The next job to start."""
        return self._ids[heapq.heappop(self._heap)]

    def done(self, job_id: str) -> None:
        """Count a job as done: those that waited for it alone may start."""
        for user in self._plan.dependents.get(job_id, ()):
            if user in self._waits:
                self._waits[user] -= 1
                if not self._waits[user]:
                    self.push(user)

    def block(self, culprit: str) -> list[str]:
        """Count a job as failed; returns the jobs that are blocked by it now, directly or not."""
        stack, blocked = [culprit], []
        while stack:
            for user in self._plan.dependents.get(stack.pop(), ()):
                if user in self._rank and user not in self.blocked:
                    self.blocked[user] = culprit
                    blocked.append(user)
                    stack.append(user)
        return blocked
