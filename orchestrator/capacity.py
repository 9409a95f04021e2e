"""What a cluster can give: it refuses jobs that no node could ever hold, which Ray would leave pending for ever."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.backend import CannotRun
from orchestrator.experiment import Resources

LAUNCHED_BY = Path("~/ray_bootstrap_config.yaml")  # `ray up` leaves the cluster file there, on the head node


@dataclass(frozen=True)
class Capacity:
    """The nodes that are there, and those that the autoscaler may start."""

    nodes: Sequence[Mapping[str, float]]
    """Each node's CPU, GPU and memory (bytes), as Ray names them."""
    gpus_per_job: float | None = None
    """Instead of what GPU jobs ask for; 0 keeps them off GPUs. Jobs that ask for none get none."""

    def resolve(self, wants: Resources) -> tuple[float, float]:
        """(CPUs, GPUs) that a job, or each of its workers, asks for here.

        Raises:
            CannotRun: when no node can ever give that much, or the nodes together never hold all its workers; with what
                it asks for and what there is.
        """
        gpus = wants.num_gpus
        if gpus and self.gpus_per_job is not None:
            gpus = self.gpus_per_job
        elif gpus and not wants.gpu_required and not any(node.get("GPU") for node in self.nodes):
            gpus = 0.0
        memory = (wants.memory_mb or 0) * 2**20
        if not any(self._holds(node, wants.num_cpus, gpus, memory) for node in self.nodes):
            have = "; ".join(sorted({_text(n.get("CPU", 0), n.get("GPU", 0), n.get("memory", 0)) for n in self.nodes}))
            raise CannotRun(
                f"a job asks for {_text(wants.num_cpus, gpus, memory)} on one node, the nodes have {have}: "
                "give --gpus-per-job (0 keeps jobs on CPUs) or --num-cpus, or use another cluster"
            )
        if wants.workers > 1:
            self._check_workers(wants, gpus, memory)
        return wants.num_cpus, gpus

    def _check_workers(self, wants: Resources, gpus: float, memory: float) -> None:
        if gpus % 1:
            raise CannotRun(
                f"a job of {wants.workers} workers would get {gpus:g} GPUs for each, and they need whole ones of their "
                "own: give --gpus-per-job 1 (0 keeps jobs on CPUs)"
            )
        room = 0
        for node in self.nodes:
            asked = {"CPU": wants.num_cpus, "GPU": gpus, "memory": memory}
            most = [node.get(name, 0) / amount for name, amount in asked.items() if amount]
            room += int(min(wants.workers, *most) + 1e-9)
        if room < wants.workers:
            raise CannotRun(
                f"a job wants {wants.workers} workers with {_text(wants.num_cpus, gpus, memory)} each, the nodes hold "
                f"{room} of them at a time: ask the experiment for fewer workers, give --num-cpus, or use another "
                "cluster"
            )

    @staticmethod
    def _holds(node: Mapping[str, float], cpus: float, gpus: float, memory: float) -> bool:
        return node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus and node.get("memory", 0) >= memory


def _text(cpus: float, gpus: float, memory: float) -> str:
    return f"{cpus:g} CPUs, {gpus:g} GPUs and {memory / 2**20:.0f} MiB"


def autoscaled_nodes(config: Path | None = None, each: bool = False) -> list[dict[str, float]]:
    """Nodes that the autoscaler of this machine's cluster may start, one of each kind.

    None where `ray up` did not make the cluster.

    Args:
        each: whether to name every node instead of one of each kind, up to `max_workers` of each.
    """
    return [node for node, most in _kinds(config or LAUNCHED_BY)[0] for _ in range(most if each else 1)]


def autoscaled_slots(config: Path | None = None) -> int:
    """CPUs of all the nodes that the autoscaler may start, within `max_workers` of each kind and of the cluster.

    It sees only queued demand: fewer jobs than this in the queue, and it never starts the last nodes.
    """
    kinds, left = _kinds(config or LAUNCHED_BY)
    slots = 0.0
    for node, most in sorted(kinds, key=lambda kind: kind[0].get("CPU", 0), reverse=True):
        count = min(most, left)
        slots, left = slots + count * node.get("CPU", 0), left - count
    return int(slots)


@functools.cache  # asked for at every event of a run
def _kinds(config: Path) -> tuple[list[tuple[dict[str, float], int]], int]:
    """Each kind of node with how many of it there may be, and how many nodes there may be in all."""
    import yaml  # a dependency of Ray

    path = config.expanduser()
    if not path.exists():
        return [], 0
    launched = yaml.safe_load(path.read_text()) or {}
    at_most = int(launched.get("max_workers", 2))  # Ray's default
    kinds = []
    for kind in (launched.get("available_node_types") or {}).values():
        most = min(int(kind.get("max_workers", at_most)), at_most)
        if most:
            # The file gives no memory for most clouds, and then no job is refused for it.
            resources = {name: float(amount) for name, amount in (kind.get("resources") or {}).items()}
            kinds.append(({"memory": float("inf")} | resources, most))
    return kinds, at_most
