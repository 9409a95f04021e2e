"""The wrapper around one job, wherever it runs: it sets the device and the threads, catches everything, measures.

`run_call` never raises for what a stage does: it returns an `Outcome`, with the rows, or with the error as strings (so
that the driver needs none of the classes that the stage used). It knows neither Ray nor the store.
"""

import datetime
import pickle
import shutil
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.artifacts import Artifacts
from orchestrator.call import Call, Outcome
from orchestrator.checkpoints import Checkpoints
from orchestrator.code import code_digest, library_versions
from orchestrator.experiment import Context, Stage
from orchestrator.joblog import JobLog
from orchestrator.memory import Peaks, memory_share, peaks, reset_peaks
from orchestrator.rows import check_tables
from orchestrator.shared import check_mark
from orchestrator.storage import Storage


class WrongCode(RuntimeError):
    """The worker's copy of the project differs from the driver's."""


_STAGES: dict[bytes, Stage] = {}  # unpacked stages of this process


def run_call(call: Call, meet: Callable[[Peaks], Sequence[Peaks]] | None = None) -> Outcome:
    """Run one attempt and return what came of it.

    Args:
        meet: waits until all workers of the job have done the stage, and returns the peaks of them all. It is called
            before anything is published: what one rank has made counts only when all have done their part.
    """
    if call.logs is None:
        return _attempt(call, meet)
    log = JobLog(Storage.at(call.logs), call.log_name)
    with log.captured():
        outcome = _attempt(call, meet)
        if outcome.traceback is not None:
            sys.stderr.write(outcome.traceback)  # the log of a failed job shows where it ended
    return replace(outcome, log=f"{call.log_name}.log") if log.kept else outcome


def _attempt(call: Call, meet: Callable[[Peaks], Sequence[Peaks]] | None) -> Outcome:
    started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    reset_peaks()
    facts: dict[str, Any] = {"started_at": started, "host": socket.gethostname(), "device": "cpu"}
    workspace, others = None, ()
    try:
        facts["code"] = code_digest()
        if call.code is not None and facts["code"] != call.code:
            raise WrongCode(
                f"the code on {facts['host']} has digest {facts['code']}, the driver's {call.code}: "
                "sync the project to that node, or, where a file was edited during the run, start the run again"
            )
        if call.mark is not None:
            check_mark(call.mark)
        if call.stage not in _STAGES:
            _STAGES[call.stage] = pickle.loads(call.stage)
        stage = _STAGES[call.stage]
        artifacts, needs = None, {}
        if call.needs or stage.artifact:
            artifacts = Artifacts(Storage.at(call.artifacts))
            needs = {name: artifacts.fetch(*need) for name, need in call.needs.items()}
        if stage.artifact and artifacts is not None and call.rank == 0:
            workspace = artifacts.workspace(stage.name, call.job_id)
        function = stage.load()  # before the threads are set, since it is what imports torch
        facts["device"] = device = _set_up(call)
        context = Context(
            job_id=call.job_id,
            device=device,
            threads=call.threads,
            memory_bytes=call.memory_bytes or memory_share(call.threads),
            needs=needs,
            paths=call.paths,
            rank=call.rank,
            workers=call.workers,
            artifact=workspace,
            checkpoints=_checkpoints(call, stage),
        )
        rows = function(call.params, context)
        tables = check_tables(stage, rows or {}) if call.rank == 0 else {}
        if meet is not None:
            others = meet(peaks(device))
        if workspace is not None and artifacts is not None:
            artifacts.publish(workspace, stage.name, call.job_id)
        return Outcome(status="done", tables=tables, **_measured(facts, clock, others))
    except (Exception, SystemExit) as error:  # a library's sys.exit() must not look like a dead worker
        if workspace is not None:
            shutil.rmtree(workspace, ignore_errors=True)
        return Outcome(
            status="timeout" if isinstance(error, TimeoutError) and error.args == (call.job_id,) else "failed",
            error=type(error).__name__,
            message=str(error),
            traceback=traceback.format_exc(),
            **_measured(facts, clock),
        )


def _checkpoints(call: Call, stage: Stage) -> Checkpoints | None:
    if not stage.checkpoints or call.checkpoints is None:
        return None
    return Checkpoints(Storage.at(call.checkpoints), stage.name, call.job_id)


def _set_up(call: Call) -> str:
    """Set the number of threads and pick the device. Launchers export OMP_NUM_THREADS=1 even for larger jobs."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != call.threads:
        torch.set_num_threads(call.threads)
    if call.device is not None:
        return call.device
    if not call.gpus:
        return "cpu"
    if torch is not None and call.gpus < 1:  # Ray does not hold jobs to their fraction of the memory
        torch.cuda.set_per_process_memory_fraction(call.gpus)
    return "cuda:0"


def _measured(facts: dict[str, Any], clock: float, others: Sequence[Peaks] = ()) -> dict[str, Any]:
    """What is known of an attempt; peak memory is the largest of all workers that have met."""
    all_peaks = [peaks(facts["device"]), *others]
    facts |= {"seconds": time.perf_counter() - clock, "versions": library_versions()}
    facts["peak_rss_mb"] = max(rss for rss, _ in all_peaks)
    facts["peak_gpu_mb"] = max((gpu for _, gpu in all_peaks if gpu is not None), default=None)
    return facts
