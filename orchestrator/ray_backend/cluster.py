"""What the cluster has and can get: its totals, what a job gets of it, whether jobs fit, and why nothing starts."""

import logging
import time
from collections.abc import Sequence

import ray

from orchestrator.capacity import Capacity, autoscaled_nodes, autoscaled_slots
from orchestrator.experiment import Resources
from orchestrator.ray_backend.head import Head
from orchestrator.ray_backend.waiting import starting_nodes

log = logging.getLogger(__name__)

_LOOK_SECONDS = 10.0  # between looks at the cluster, which may grow and shrink
_WAIT_SECONDS = 3.0  # between looks at what its autoscaler does


class Cluster:
    """The cluster that this process is connected to.

    Args:
        joined: whether it was there before the sweep, so that it may grow.
        gpus_per_job: instead of what GPU stages ask for.
    """

    def __init__(self, joined: bool, gpus_per_job: float | None):
        self.head = Head(ray.get_runtime_context().gcs_address)
        self.grown = autoscaled_slots() if joined else 0
        """CPU slots that it could grow to."""
        self._joined = joined
        self._gpus_per_job = gpus_per_job
        self._resolved: dict[Resources, tuple[float, float]] = {}
        self._looked_at = float("-inf")
        self._totals: dict[str, float] = {}
        self._waits: tuple[float, str | None] = (float("-inf"), None)

    @property
    def totals(self) -> dict[str, float]:
        """CPUs, GPUs and memory of the cluster."""
        if time.monotonic() - self._looked_at > _LOOK_SECONDS and self.head.answers(now=True):
            self._totals, self._looked_at = {k: float(v) for k, v in ray.cluster_resources().items()}, time.monotonic()
        return self._totals

    def resolve(self, wants: Resources) -> tuple[float, float]:
        """CPUs and GPUs that each worker of such a job gets."""
        if wants not in self._resolved:
            nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            if self._joined:
                nodes += autoscaled_nodes(each=wants.workers > 1)
            self._resolved[wants] = Capacity(nodes, self._gpus_per_job).resolve(wants)
        return self._resolved[wants]

    def room(self, wanted: Sequence[Resources]) -> bool:
        """Whether processes of these resources fit on the cluster together."""
        asked = [
            (wants.workers * cpus, wants.workers * gpus) for wants in wanted for cpus, gpus in [self.resolve(wants)]
        ]
        cpus, gpus = (sum(amounts) for amounts in zip(*asked, strict=True))
        memory = sum(wants.workers * (wants.memory_mb or 0) * 2**20 for wants in wanted)
        asked = {"CPU": cpus, "GPU": gpus, "memory": memory}
        return all(self.totals.get(name, 0) >= amount for name, amount in asked.items())

    def waiting(self) -> str | None:
        """What its autoscaler does for the jobs that wait, in words; None where it has none."""
        if not self._joined:
            return None
        if time.monotonic() - self._waits[0] > _WAIT_SECONDS and self.head.answers(now=True):
            try:
                words = starting_nodes(ray.get_runtime_context().gcs_address)
            except Exception as problem:  # Ray's own state is for reading only; a sweep never ends for it
                log.info("the autoscaler's state cannot be read: %s", problem)
                words = None
            self._waits = time.monotonic(), words
        return self._waits[1]

    def silent(self) -> str | None:
        """A sentence where its head does not answer."""
        if self.head.answers(now=True):
            return None
        return f"the head of the Ray cluster at {self.head.address} does not answer"

    def stalled(self, jobs: int) -> str | None:
        """Why so many submitted jobs do not start; None where some of the cluster's CPUs are taken."""
        if (problem := self.silent()) is not None:
            return problem
        free = ray.available_resources()
        if free.get("CPU", 0) < self.totals.get("CPU", 0):
            return None
        asked = ", ".join(f"{cpus:g} CPUs + {gpus:g} GPUs" for cpus, gpus in dict.fromkeys(self._resolved.values()))
        return (
            f"{jobs} jobs wait and none runs: they ask for {asked} each, the cluster has "
            f"{free.get('CPU', 0):g} CPUs and {free.get('GPU', 0):g} GPUs free"
        )
