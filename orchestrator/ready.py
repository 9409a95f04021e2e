"""Which jobs may start: counters of the needs that each job waits for, so that no event costs a scan over all jobs."""

import heapq
from collections.abc import Collection

from orchestrator.plan import Plan


class Ready:
    """The jobs `left` of a plan, handed out when all that they need is done, those of one warm key together."""

    def __init__(self, plan: Plan, left: Collection[str]):
        self._plan, self._left = plan, set(left)
        self._order = {job_id: i for i, job_id in enumerate(plan.jobs)}
        self._waits = {
            i: sum(need_id in self._left for need_id in {need.id for need in plan.jobs[i].needs.values()}) for i in left
        }
        self._heap: list[tuple[str, int, str]] = []
        self.blocked: dict[str, str] = {}
        """Jobs that can never start, with the id of the job that they need and that failed."""
        for job_id, waits in self._waits.items():
            if not waits:
                self.push(job_id)

    def __bool__(self) -> bool:
        return bool(self._heap)

    def push(self, job_id: str) -> None:
        """Let a job start (again)."""
        # Sorted by warm key, so that an actor serves all jobs of its model before another is loaded.
        heapq.heappush(self._heap, (self._plan.jobs[job_id].warm_key, self._order[job_id], job_id))

    def pop(self) -> str:
        """The next job to start."""
        return heapq.heappop(self._heap)[2]

    def done(self, job_id: str) -> None:
        """Count a job as done: those that waited for it alone may start."""
        for user in self._plan.dependents.get(job_id, ()):
            if user in self._left:
                self._waits[user] -= 1
                if not self._waits[user]:
                    self.push(user)

    def block(self, culprit: str) -> list[str]:
        """Count a job as failed; returns the jobs that are blocked by it now, directly or not."""
        stack, blocked = [culprit], []
        while stack:
            for user in self._plan.dependents.get(stack.pop(), ()):
                if user in self._left and user not in self.blocked:
                    self.blocked[user] = culprit
                    blocked.append(user)
                    stack.append(user)
        return blocked
