"""The wrapper around one job, wherever it runs: it sets the device and the threads, catches everything, measures.

`run_call` never raises for what a stage does: it returns an `Outcome`, with the rows, or with the error as strings (so
that the driver needs none of the classes that the stage used). It knows neither Ray nor the store.
"""

import datetime
import numbers
import os
import pickle
import resource
import shutil
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from orchestrator.artifacts import Artifacts
from orchestrator.checkpoints import Checkpoints
from orchestrator.code import code_digest, library_versions
from orchestrator.experiment import Context, Rows, Stage, TableSpec
from orchestrator.joblog import JobLog
from orchestrator.printable import printable
from orchestrator.secrets import redactor
from orchestrator.shared import Mark, check_mark
from orchestrator.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Call:
    """One attempt at one job, as it travels to a worker."""

    job_id: str
    stage: bytes
    """The pickled Stage: the same bytes for all its jobs, so that a worker unpacks them once."""
    params: Any
    needs: Mapping[str, tuple[str, str]]
    """Name to (stage name, job id) of the artifacts needed."""
    paths: Mapping[str, str]
    artifacts: str
    """Where artifacts live: a path or an address."""
    gpus: float
    """GPUs, or the fraction of one, that the job has."""
    threads: int
    memory_bytes: int | None
    code: str | None
    """The driver's code digest; the worker refuses to run other code. None: not checked."""
    mark: Mark | None = None
    """What the driver has written into the results; a worker that does not see it refuses. None: not checked."""
    attempt: int = 1
    checkpoints: str | None = None
    """Where checkpoints live: a path or an address. None: the job has none."""
    rank: int = 0
    """Which of the job's processes this one is."""
    workers: int = 1
    device: str | None = None
    """The torch device; None: the first GPU where it has any, else the CPU."""
    logs: str | None = None
    """The folder for the logs of jobs, a path or an address; None: what a job prints is not caught."""

    @property
    def log_name(self) -> str:
        return log_name(f"{self.job_id}-{self.attempt}", self.rank)


def log_name(key: str, rank: int) -> str:
    """The name of an attempt's log: rank 0 writes the job's own."""
    return f"{key}-rank{rank}" if rank else key


Peaks = tuple[float, float | None]
"""Peak memory of a process, in MiB: resident, and of its GPU where it has one."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one attempt."""

    status: str
    """`done`, `failed`, `timeout` or `lost` (the process or the node died); `withdrawn`: it never started."""
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    error: str | None = None
    message: str | None = None
    traceback: str | None = None
    started_at: datetime.datetime | None = None
    seconds: float = 0.0
    host: str = ""
    device: str = ""
    peak_rss_mb: float | None = None
    peak_gpu_mb: float | None = None
    code: str | None = None
    versions: str | None = None
    log: str | None = None
    """Name of the job's log in the run's folder of logs; None: it printed nothing, or nothing of it was kept."""

    def __post_init__(self):
        """What an error says goes into tables, logs and pages: secrets and control characters end here."""
        if self.status == "done" or not (self.error or self.message or self.traceback):
            return
        hide = redactor()
        for name in ("error", "message", "traceback"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, printable(hide(text)))


class WrongCode(RuntimeError):
    """The worker's copy of the project differs from the driver's."""


class BadRows(TypeError):
    """A stage returned tables or columns that it did not declare."""


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
    _reset_peak_memory()
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
            memory_bytes=call.memory_bytes or _memory_share(call.threads),
            needs=needs,
            paths=call.paths,
            rank=call.rank,
            workers=call.workers,
            artifact=workspace,
            checkpoints=_checkpoints(call, stage),
        )
        rows = function(call.params, context)
        tables = _check_tables(stage, rows or {}) if call.rank == 0 else {}
        if meet is not None:
            others = meet(_peaks(device))
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


def _check_tables(stage: Stage, tables: Mapping[str, Rows]) -> dict[str, pa.Table]:
    checked = {}
    for name, rows in tables.items():
        if name not in stage.tables:
            raise BadRows(f"stage {stage.name} returned the table {name!r}; it declares {sorted(stage.tables)}")
        if rows:
            checked[name] = rows_to_table(rows, stage.tables[name], f"stage {stage.name}, table {name}")
    return checked


def rows_to_table(rows: Rows, spec: TableSpec, where: str) -> pa.Table:
    """Rows as an Arrow table of the declared schema.

    Raises:
        BadRows: when a row has other columns than declared, or a value of another type.
    """
    names = set(spec.schema.names)
    for i, row in enumerate(rows):
        if row.keys() != names:
            raise BadRows(
                f"{where}, row {i}: missing columns {sorted(names - row.keys())}, unknown {sorted(row.keys() - names)}"
            )
    for column in spec.schema:
        if pa.types.is_integer(column.type):  # Arrow itself would cut 1.5 to 1 without a word
            for i, row in enumerate(rows):
                if row[column.name] is not None and not isinstance(row[column.name], numbers.Integral):
                    raise BadRows(f"{where}, row {i}: {column.name} is {row[column.name]!r}, no whole number")
    try:
        return pa.Table.from_pylist(list(rows), schema=spec.schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as problem:
        raise BadRows(f"{where}: {problem}") from problem


def _measured(facts: dict[str, Any], clock: float, others: Sequence[Peaks] = ()) -> dict[str, Any]:
    """What is known of an attempt; peak memory is the largest of all workers that have met."""
    peaks = [_peaks(facts["device"]), *others]
    facts |= {"seconds": time.perf_counter() - clock, "versions": library_versions()}
    facts["peak_rss_mb"] = max(rss for rss, _ in peaks)
    facts["peak_gpu_mb"] = max((gpu for _, gpu in peaks if gpu is not None), default=None)
    return facts


def _peaks(device: str) -> Peaks:
    torch = sys.modules.get("torch")
    if device == "cpu" or torch is None:
        return _peak_memory_mb(), None
    return _peak_memory_mb(), torch.cuda.max_memory_allocated(device) / 2**20


def _reset_peak_memory() -> None:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    try:  # "5" resets the peak of this process, so that a warm worker reports the job's own
        file = os.open("/proc/self/clear_refs", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(file, b"5")
    except OSError:
        return
    finally:
        os.close(file)


def _peak_memory_mb() -> float:
    try:
        with open("/proc/self/status", "rb", buffering=0) as file:
            text = file.read(4096)
        return int(text.partition(b"VmHWM:")[2].split(None, 1)[0]) / 1024
    except (OSError, IndexError, ValueError):  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_free: tuple[float, int] = (float("-inf"), 0)  # when it was looked up, bytes


def _memory_share(threads: int) -> int:
    """Bytes that a job may plan with: 80 % of the free memory, divided as the cores are."""
    global _free
    if time.monotonic() - _free[0] > 1.0:  # a look takes as long as a short job
        import psutil

        _free = time.monotonic(), psutil.virtual_memory().available
    return int(_free[1] * 0.8 * min(1.0, threads / _CORES))


_CORES = os.cpu_count() or 1
