"""The calls in flight: submitted as Ray tasks or to warm actors, waited for, timed out, withdrawn."""

import contextlib
import logging
import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray import exceptions
from ray._private.worker import get_dashboard_url
from ray.cloudpickle.cloudpickle import dumps
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from orchestrator.bundles import Bundle, Bundles
from orchestrator.call import Call, Outcome
from orchestrator.deadlines import Deadlines
from orchestrator.experiment import Resources
from orchestrator.groups import Groups
from orchestrator.ray_backend.cluster import Cluster
from orchestrator.ray_backend.connect import connect
from orchestrator.ray_backend.group import Share, free_abandoned, run_group
from orchestrator.ray_backend.metrics import SweepMetrics
from orchestrator.ray_backend.nodes import check_nodes
from orchestrator.ray_backend.remote import Beacon, WarmActor, outcomes_of, run_fresh, run_task
from orchestrator.shared import Mark
from orchestrator.surroundings import sigterm_kept
from orchestrator.warm import WarmWorkers
from orchestrator.watcher import Watcher

log = logging.getLogger(__name__)

_WITH_ANOTHER = "its process was ended since another job in it was overdue"
_ABANDONED_SECONDS = 60.0  # in which Ray knows that the processes of a killed group are dead


class RayBackend:
    """Tasks and actors on the cluster at `address`, or on this machine.

    Args:
        address: `auto` joins the cluster that RAY_ADDRESS or this machine names, else starts one here; `local` starts
            one here; anything else is an address for `ray.init`. A Ray session that this process has is used as it is.
        num_cpus: CPU slots of a cluster started here; None: the cores of this machine.
        gpus_per_job: instead of what GPU stages ask for.
        job_timeout: seconds after its start at which a call is ended, as `timeout`.
        dashboard: whether a cluster that is started here has Ray's dashboard (800 MB and two seconds).

    Raises:
        CannotRun: when no cluster answers at the address.
    """

    own_processes = True

    def __init__(
        self,
        address: str = "auto",
        num_cpus: int | None = None,
        gpus_per_job: float | None = None,
        job_timeout: float | None = None,
        dashboard: bool = False,
    ):
        self._deadlines = Deadlines(job_timeout) if job_timeout is not None else None
        self._ours = not ray.is_initialized()
        with sigterm_kept():
            self.where = connect(address, num_cpus, dashboard) if self._ours else "in the Ray session of this process"
        if url := get_dashboard_url():
            self.where += f", dashboard at http://{url}"
        self._joined = self.where.startswith("joined")
        self._cluster = Cluster(self._joined, gpus_per_job)
        self._head = self._cluster.head
        # On the driver's own node: where that is lost, all is.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        self._new_beacon = Beacon.options(scheduling_strategy=here).remote
        self._beacon: Any = self._new_beacon() if job_timeout is not None else None
        self._group_beacon: Any = self._beacon
        self._handles: dict[tuple[Resources, bool], Any] = {}
        self._refs: dict[Any, Sequence[tuple[str, Call]]] = {}
        self._bundles = Bundles()
        self._groups = Groups()
        self._begun: set[str] = set()  # groups whose members run
        self._recalled: set[str] = set()
        self._abandoned_until = float("-inf")
        self._by_key: dict[str, Any] = {}
        self._cut_short: set[Any] = set()
        self._taken_back: list[str] = []
        self._warm = WarmWorkers(self._start_actor, ray.kill, self._cluster.room)
        self._asked_at = float("-inf")

    @property
    def totals(self) -> dict[str, float]:
        return self._cluster.totals

    @property
    def slots(self) -> int:
        return max(1, int(self.totals.get("CPU", 1)))

    @property
    def window(self) -> int:
        return max(64, 2 * self.slots * self._bundles.size, 2 * self._cluster.grown * self._bundles.size)

    def check_nodes(self, mark: Mark, artifacts: str) -> str | None:
        return check_nodes(mark, artifacts) if self._joined or not self._ours else None

    def gpus(self, wants: Resources) -> float:
        return self._cluster.resolve(wants)[1]

    def submit(self, key: str, call: Call, wants: Resources, warm_key: str | None) -> None:
        if wants.workers > 1:
            self._groups.add(key, call, wants)
            self._start_groups()
        elif warm_key is not None:
            self._warm.add(key, call, wants, warm_key)
            self._serve_actors()
        elif (bundle := self._bundles.add(key, call, wants)) is not None:
            self._send(self._handle(wants, actor=False), bundle)

    def _start_groups(self) -> None:
        for key, call, wants in self._groups.starting(self._cluster.room):
            if self._group_beacon is None:
                self._group_beacon = self._new_beacon()
            (cpus, gpus), memory = self._cluster.resolve(wants), wants.memory_mb
            share = Share(cpus=cpus, gpus=gpus, memory=None if memory is None else memory * 2**20)
            ref = run_group.remote(call, share, key, self._group_beacon)
            self._refs[ref] = [(key, call)]
            self._by_key[key] = ref

    def _send(self, handle: Any, bundle: Bundle) -> None:
        # cloudpickle, since parameters may be of a class in a notebook or a script
        text = dumps([call for _, call in bundle])
        keys = [key for key, _ in bundle]
        ref = handle.remote(text) if self._beacon is None else handle.remote(text, keys, self._beacon)
        self._refs[ref] = bundle
        self._by_key |= dict.fromkeys(keys, ref)

    def _handle(self, wants: Resources, actor: bool) -> Any:
        if (wants, actor) not in self._handles:
            cpus, gpus = self._cluster.resolve(wants)
            memory = {} if wants.memory_mb is None else {"memory": wants.memory_mb * 2**20}
            kind = WarmActor if actor else (run_fresh if gpus else run_task)
            self._handles[wants, actor] = kind.options(num_cpus=cpus, num_gpus=gpus, **memory)
        return self._handles[wants, actor]

    def _serve_actors(self) -> None:
        for handle, key, call in self._warm.assign():
            self._send(handle.run, [(key, call)])

    def _start_actor(self, wants: Resources) -> Any:
        return self._handle(wants, actor=True).remote()

    def wait(self, seconds: float) -> list[tuple[str, Outcome]]:
        outcomes = [(key, Outcome(status="withdrawn")) for key in self._taken_back]
        self._taken_back = []
        self._head.answers()
        self._listen()
        self._end_overdue()
        self._warm.dismiss_idle()
        self._serve_actors()
        self._start_groups()
        for wants, bundle in self._bundles.rest():
            self._send(self._handle(wants, actor=False), bundle)
        if not self._refs:
            return outcomes
        refs = list(self._refs)
        ready, _ = ray.wait(refs, num_returns=1, timeout=0 if outcomes else seconds)
        if ready and len(refs) > 1:
            ready, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref, results in zip(ready, self._results(ready), strict=True):
            for (key, call), outcome in zip(self._refs.pop(ref), results, strict=True):
                del self._by_key[key]
                self._begun.discard(key)
                if outcome.status == "withdrawn" and ref in self._cut_short:
                    outcome = replace(outcome, status="lost", error="BundleEnded", message=_WITH_ANOTHER)
                outcomes.append((key, self._ended(key, call, outcome)))
            self._cut_short.discard(ref)
        self._serve_actors()
        return outcomes

    def _ended(self, key: str, call: Call, outcome: Outcome) -> Outcome:
        if outcome.error == "LocalRayletDiedError":  # it takes no more calls of this driver
            self._head.gone(outcome.message or "")
        if self._deadlines is not None:
            outcome = self._deadlines.ended(key, outcome)
        if key in self._recalled and outcome.status == "lost":
            outcome = Outcome(status="withdrawn")
        self._groups.ended(key)
        if call.workers > 1 and outcome.status != "done":
            self._abandoned_until = time.monotonic() + _ABANDONED_SECONDS
        if outcome.status in ("done", "failed"):
            self._bundles.ended(call.stage, outcome.seconds)
        self._warm.release(key, dead=outcome.status in ("lost", "timeout", "withdrawn"))
        return outcome

    def _results(self, refs: list[Any]) -> list[list[Outcome]]:
        try:
            return [pickle.loads(outcomes) for outcomes in ray.get(refs)]
        except Exception:  # one of them has none: look at each
            return [outcomes_of(ref, len(self._refs[ref])) for ref in refs]

    def _listen(self) -> None:
        """Hear which calls have started."""
        now = time.monotonic()
        if self._group_beacon is None or now - self._asked_at < 0.5:
            return
        self._asked_at = now
        if now < self._abandoned_until or self._groups.running - self._begun:
            try:
                free_abandoned()
            except Exception as problem:  # Ray's own state may look otherwise one day; a sweep never ends for it
                log.warning("the room of groups that were killed is not given back: %s", problem)
        with contextlib.suppress(exceptions.RayError, exceptions.GetTimeoutError):  # its node is lost: ask again later
            for key in ray.get(self._group_beacon.drain.remote(), timeout=10):
                if key not in self._by_key:
                    continue
                self._begun.add(key)
                if self._deadlines is not None:  # and those before it in its bundle have ended
                    self._deadlines.forget(other for other, _ in self._refs[self._by_key[key]])
                    self._deadlines.started([key])

    def _end_overdue(self) -> None:
        if self._deadlines is None:
            return
        for key in self._deadlines.overdue():
            actor = self._warm.serving(key)
            if actor is not None:
                ray.kill(actor.handle)
            else:
                self._cut_short.add(self._by_key[key])
                ray.cancel(self._by_key[key], force=True)

    def withdraw(self) -> None:
        self._taken_back += self._warm.withdraw()
        self._taken_back += self._groups.withdraw()
        self._taken_back += [key for _, bundle in self._bundles.rest() for key, _ in bundle]
        for ref, bundle in self._refs.items():
            waits = {key for key, call in bundle if call.workers > 1} - self._begun
            self._recalled |= waits
            ray.cancel(ref, force=bool(waits), recursive=False)

    def watchers(self, experiment: str, left: Mapping[str, int]) -> Sequence[Watcher]:
        return [SweepMetrics(experiment, left)]

    def waiting(self) -> str | None:
        return self._cluster.waiting() if self._refs else None

    def stalled(self) -> str | None:
        return self._cluster.stalled(len(self._by_key)) if self._refs else self._cluster.silent()

    def close(self) -> None:
        for worker in self._warm.workers:
            ray.kill(worker.handle)
        for ref, bundle in self._refs.items():
            if self._warm.serving(bundle[0][0]) is None:
                ray.cancel(ref, force=True)
        if self._group_beacon is not None:
            ray.kill(self._group_beacon)
        if self._ours:
            ray.shutdown()
