"""Telling an experiment tracker of each job: `--tracker mlflow`.

A tracker is a watcher of the run: it hears of every attempt, and nothing depends on it. It works in a thread of its own
behind a queue that never makes the driver wait; what a tracking server does not take is counted and said at the end.
The journal is the truth; a tracker is a view for people who look at all their runs in one place.
"""

import datetime
import importlib
import importlib.util
import itertools
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from orchestrator.backend import CannotRun
from orchestrator.call import Outcome
from orchestrator.experiment import Job
from orchestrator.measurements import cut, is_finite, measurements, parameters
from orchestrator.printable import printable
from orchestrator.secrets import Redactor, redactor
from orchestrator.watcher import Watcher

QUEUE = 10_000  # attempts; a fast sweep of more jobs than the server takes meanwhile is told of in part
PAUSE_SECONDS = 30.0  # after an error: a server that is down must not cost a time-out for each job
CLOSE_SECONDS = 60.0  # how long the end of a run waits for what is queued
METRICS_PER_JOB = 20_000
METRICS_PER_REQUEST, PARAMS_PER_REQUEST = 900, 100  # MLflow's limits are 1,000 of both together, and 100
TAG_LENGTH = 5_000  # characters of a tag's value

T = TypeVar("T")


def make_tracker(experiment: str, run: str, note: Callable[[str], None]) -> Watcher:
    """The MLflow tracker of a run. The server is named by MLFLOW_TRACKING_URI, else as MLflow does by default.

    Args:
        experiment: name of the MLflow experiment, made where there is none.
        run: the sweep's run.
        note: says a sentence to the user.

    Raises:
        CannotRun: when MLflow is not installed, or takes no such address. The server is not asked yet.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise CannotRun('--tracker mlflow needs the package mlflow-skinny: pip install "mlflow-skinny>=3.17"')
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a sweep calls nobody that the user has not named
    try:
        client = importlib.import_module("mlflow.tracking").MlflowClient()
    except Exception as problem:  # MLflow's own errors have no common class with those of its stores
        where = os.environ.get("MLFLOW_TRACKING_URI")
        where = f"at {where}" if where else "without MLFLOW_TRACKING_URI"
        raise CannotRun(f"MLflow cannot be used {redactor()(where)}: {_first_line(problem, redactor())}") from problem
    return MlflowTracker(client, experiment, run, note)


class MlflowTracker:
    """Each attempt becomes one MLflow run; the same attempt never two."""

    def __init__(
        self, client: Any, experiment: str, run: str, note: Callable[[str], None], close_seconds: float = CLOSE_SECONDS
    ):
        self._client, self._experiment, self._run, self._note = client, experiment, run, note
        self._close_seconds = close_seconds
        self._redact: Redactor = redactor()
        self._entities = importlib.import_module("mlflow.entities")
        self._experiment_id: str | None = None
        self._known: set[str] = set()
        self._queue: queue.Queue[tuple[Job, Outcome, int] | None] = queue.Queue(QUEUE)
        self._heard = self._logged = 0
        self._problem: str | None = None
        self._paused_until = 0.0
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)
        self._thread.start()

    def ended(self, job: Job, outcome: Outcome, attempt: int) -> None:
        self._heard += 1
        try:
            self._queue.put_nowait((job, outcome, attempt))
        except queue.Full:
            self._say_once("the tracking server is slower than the sweep")

    def close(self) -> None:
        """Wait a while for what is queued; say how many attempts the server has not got, if any."""
        end = time.monotonic() + self._close_seconds
        try:
            self._queue.put(None, timeout=self._close_seconds)
            self._thread.join(max(0.0, end - time.monotonic()))
        except queue.Full:
            pass
        if missing := self._heard - self._logged:
            self._note(
                f"{missing} of {self._heard} attempts are not in MLflow ({self._problem or 'it took too long'}); "
                "the tables have them all"
            )

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if time.monotonic() < self._paused_until:
                continue
            try:
                self._log(*item)
                self._logged += 1
            except Exception as problem:  # of the network, the server or MLflow: no sweep ends for it
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                self._say_once(_first_line(problem, self._redact))

    def _say_once(self, problem: str) -> None:
        if self._problem is None:
            self._problem = problem
            self._note(f"MLflow does not get every job: {problem}; the sweep goes on")

    def _log(self, job: Job, outcome: Outcome, attempt: int) -> None:
        experiment_id = self._experiment_id = self._experiment_id or self._open_experiment()
        key = f"{job.id}/{self._run}/{attempt}"
        if key in self._known:
            return
        began = outcome.started_at or datetime.datetime.now(datetime.UTC)
        start = int(began.timestamp() * 1000)
        end = start + int(outcome.seconds * 1000)
        found = list(measurements(outcome.tables, job.stage.tables))
        good = [m for m in found if is_finite(m)]
        run_id = self._client.create_run(
            experiment_id,
            start_time=start,
            tags=self._tags(job, outcome, attempt, key, len(found) - len(good), len(good)),
        ).info.run_id
        self._known.add(key)
        params = [self._entities.Param(n, self._clean(v)) for n, v in parameters(job).items()]
        metrics = [self._entities.Metric(m.name, m.value, end, m.step) for m in good[:METRICS_PER_JOB]]
        measured = {
            "job.seconds": outcome.seconds,
            "job.peak_rss_mb": outcome.peak_rss_mb,
            "job.peak_gpu_mb": outcome.peak_gpu_mb,
            "job.passes": job.passes or None,
        }
        metrics += [self._entities.Metric(n, float(v), end, 0) for n, v in measured.items() if v is not None]
        parts = itertools.zip_longest(
            chunks(metrics, METRICS_PER_REQUEST), chunks(params, PARAMS_PER_REQUEST), fillvalue=()
        )
        for some_metrics, some_params in parts:
            self._client.log_batch(run_id, metrics=some_metrics, params=some_params)
        self._client.set_terminated(run_id, "FINISHED" if outcome.status == "done" else "FAILED", end)

    def _tags(self, job: Job, outcome: Outcome, attempt: int, key: str, odd: int, good: int) -> dict[str, str]:
        tags = {
            "mlflow.runName": f"{job.stage.name}-{job.id[:8]}-{attempt}",
            "sweep.key": key,
            "sweep.job": job.id,
            "sweep.run": self._run,
            "sweep.stage": job.stage.name,
            "sweep.attempt": str(attempt),
            "sweep.status": outcome.status,
            "sweep.host": outcome.host,
            "sweep.device": outcome.device,
            "sweep.code": outcome.code,
            "sweep.error": outcome.error,
            "sweep.message": outcome.message,
            "sweep.not_finite": str(odd) if odd else None,  # servers differ in what they make of NaN
            "sweep.metrics_left_out": str(good - METRICS_PER_JOB) if good > METRICS_PER_JOB else None,
        }
        return {name: cut(self._clean(value), TAG_LENGTH) for name, value in tags.items() if value}

    def _clean(self, text: str) -> str:
        return printable(self._redact(text))

    def _open_experiment(self) -> str:
        """The id of the experiment, and the keys of what this run has told it before."""
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            try:
                return self._client.create_experiment(self._experiment)
            except Exception:  # another sweep may have made it in this moment
                found = self._client.get_experiment_by_name(self._experiment)
                if found is None:
                    raise
        if found.lifecycle_stage != "active":
            raise ValueError(f"the MLflow experiment {self._experiment} is deleted: restore it, or delete it for good")
        token = None
        while True:
            query = f"tags.`sweep.run` = '{self._run}'"
            page = self._client.search_runs([found.experiment_id], query, max_results=1_000, page_token=token)
            self._known |= {run.data.tags.get("sweep.key", "") for run in page}
            token = page.token
            if not token:
                return found.experiment_id


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _first_line(problem: BaseException, redact: Redactor) -> str:
    text = str(problem).strip() or type(problem).__name__
    return cut(printable(redact(text.splitlines()[0])), 500)
