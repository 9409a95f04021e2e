"""A job of several processes: one Ray task that starts them by Ray Train, waits for them and returns one outcome.

Ray Train starts the members, joins them by `torch.distributed` and ends them all when one fails. Nothing else of it is
used: its retries are off (the runner's budgets count), its checkpoints too (`orchestrator.checkpoints`), and what it
would write goes to a folder that is removed. Each member runs `worker.run_call`, as every job does, so that it has the
same checks, logs and measurements.
"""

import pickle
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, cast

import ray
from ray import PlacementGroupID, exceptions
from ray._private.state import state
from ray.core.generated import gcs_pb2
from ray.util.placement_group import PlacementGroup, remove_placement_group

from orchestrator.call import Call, Outcome
from orchestrator.groups import from_others, outcome_of
from orchestrator.memory import Peaks
from orchestrator.names import private_folder
from orchestrator.worker import run_call

LOOK_SECONDS = 0.5  # between Ray Train's looks at the members
LATE_SECONDS = 5.0  # for which an error that another one's death has caused waits for that death to be seen
SILENT_SECONDS = 4 * 3600  # that members may wait for each other: rank 0 may evaluate or publish alone meanwhile
START_SECONDS = 7 * 24 * 3600  # that a group may wait for room: jobs that run before it take as long as they take

# For the task, and by inheritance for the processes that Ray Train starts.
ENVIRONMENT = {
    "RAY_TRAIN_V2_ENABLED": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": str(LOOK_SECONDS),
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": str(START_SECONDS),
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_TRAIN_ENABLE_CONTROLLER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_WORKER_STRUCTURED_LOGGING": "0",
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Members that wait for one that has failed do not leave their group by themselves; they are killed after this.
    "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S": "2",
}

_LEFT_OUT = (
    "PlacementGroupCleanerCallback",  # a detached actor that frees the room of killed groups: see `free_abandoned`
    "DatasetsCallback",  # an actor for Ray's datasets, which nobody uses here
)


@dataclass(frozen=True, kw_only=True)
class Share:
    """What each member gets."""

    cpus: float
    gpus: float
    memory: int | None
    """Bytes that the scheduler sets aside."""

    @property
    def resources(self) -> dict[str, float]:
        """Resources of a member by the names that Ray gives them."""
        named = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory or 0)}
        return {name: amount for name, amount in named.items() if amount}


class MemberFailed(Exception):
    """Carries the outcome of a member whose stage has raised."""

    def __init__(self, outcome: Outcome):
        super().__init__(outcome)
        self.outcome = outcome


# A fresh process, since it imports torch, and Ray Train keeps state in it.
@ray.remote(num_cpus=0, max_retries=0, max_calls=1, runtime_env={"env_vars": ENVIRONMENT})
def run_group(call: Call, share: Share, key: str, beacon: Any) -> bytes:
    """Run a call in as many processes as it names; returns a pickled list of one Outcome, as all tasks do."""
    # As in `remote`: an interrupt, by which Ray takes back calls that wait, does not end one that runs.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (
        tempfile.TemporaryDirectory(dir=private_folder("sweep-train"), ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(1) as pool,  # in the main thread Ray Train would take Ctrl-C for itself
    ):
        return pickle.dumps([pool.submit(_fit, call, share, key, beacon, folder).result()])


def _fit(call: Call, share: Share, key: str, beacon: Any, folder: str) -> Outcome:
    from ray.train import ControllerError, FailureConfig, RunConfig, ScalingConfig, WorkerGroupError
    from ray.train.torch import TorchConfig, TorchTrainer

    # What the members compute on the CPU's tensors, a step to agree on, goes over gloo beside nccl.
    backend = "cpu:gloo,cuda:nccl" if share.gpus else "gloo"

    class Trainer(TorchTrainer):
        def _create_default_callbacks(self) -> list[Any]:
            callbacks = super()._create_default_callbacks()
            return [each for each in callbacks if type(each).__name__ not in _LEFT_OUT]

    trainer = Trainer(
        _member(call, share, key, beacon),
        torch_config=TorchConfig(backend=backend, timeout_s=SILENT_SECONDS),
        scaling_config=ScalingConfig(
            num_workers=call.workers, use_gpu=share.gpus > 0, resources_per_worker=share.resources
        ),
        run_config=RunConfig(
            name=key,
            storage_path=folder,
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=0, max_preemption_failures=0),
        ),
    )
    try:
        return cast(Outcome, trainer.fit().return_value)
    except WorkerGroupError as problem:
        failures = {rank: _outcome(error) for rank, error in problem.worker_failures.items()}
        return outcome_of(failures, call.workers)
    except ControllerError as problem:  # a member or its node went while they were started
        return Outcome(status="lost", error=type(problem.controller_failure).__name__, message=str(problem).strip())
    except exceptions.RayActorError as problem:  # Ray Train's own process has died
        return Outcome(status="lost", error=type(problem).__name__, message=str(problem).strip())


def _member(call: Call, share: Share, key: str, beacon: Any) -> Callable[[], Outcome | None]:
    """What each member runs; rank 0 returns the outcome."""

    def member() -> Outcome | None:
        from ray.train import get_context
        from ray.train.torch import get_device

        rank = get_context().get_world_rank()
        if rank == 0:
            beacon.started.remote(key)
        device = str(get_device()) if share.gpus else "cpu"
        outcome = run_call(replace(call, rank=rank, device=device), _meet)
        if outcome.status != "done":
            if from_others(outcome):
                time.sleep(LATE_SECONDS)
            raise MemberFailed(outcome)
        return outcome if rank == 0 else None

    return member


def _meet(peaks: Peaks) -> list[Peaks]:
    """Wait for all members; returns the peaks of each."""
    distributed = sys.modules["torch"].distributed  # Ray Train has imported it
    if not distributed.is_initialized():  # the stage has left the group by itself
        return [peaks]
    gathered: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(gathered, peaks)
    return gathered


def free_abandoned() -> None:
    """Give back the room of groups of this driver whose processes were killed; Ray keeps it while the driver lives."""
    job = ray.get_runtime_context().get_job_id()
    kind: Any = getattr(gcs_pb2, "PlacementGroupTableData")  # noqa: B009 (made when it is imported)
    for text in state._connect_and_get_accessor().get_placement_group_table():
        group = kind.FromString(text)
        if group.creator_actor_dead and group.creator_job_id.hex() == job and group.state != kind.REMOVED:
            remove_placement_group(PlacementGroup(PlacementGroupID(group.placement_group_id)))


def _outcome(error: Exception) -> Outcome:
    """What a member's end means: its own outcome, or that its process has died."""
    if isinstance(error, MemberFailed):
        return error.outcome
    cause = getattr(error, "health_check_failure", error)
    status = "failed" if isinstance(cause, exceptions.OutOfMemoryError) else "lost"
    name = "OutOfMemory" if status == "failed" else type(cause).__name__
    return Outcome(status=status, error=name, message=str(cause).strip())
