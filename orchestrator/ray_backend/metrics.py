"""The sweep's own metrics, exported where Ray exports its: Prometheus reads them from every node's metrics port."""

from collections.abc import Mapping

from ray.util.metrics import Counter, Gauge, Histogram

from orchestrator.call import Outcome
from orchestrator.experiment import Job

_SECONDS = [0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 6 * 3600.0]
_TAGS = ("experiment", "stage")


class SweepMetrics:
    """Attempts by stage and status, jobs left, seconds a job, layer passes done."""

    def __init__(self, experiment: str, left: Mapping[str, int]):
        self._experiment, self._left = experiment, dict(left)
        self._attempts = Counter("sweep_attempts", "Attempts at jobs that have ended.", (*_TAGS, "status"))
        self._jobs_left = Gauge("sweep_jobs_left", "Jobs of this run that are not done.", _TAGS)
        self._seconds = Histogram("sweep_job_seconds", "Seconds that a good attempt took.", _SECONDS, _TAGS)
        self._passes = Counter("sweep_layer_passes", "Layer applications to one sequence, of jobs done.", _TAGS)
        for stage, count in left.items():
            self._jobs_left.set(count, self._tags(stage))

    def _tags(self, stage: str) -> dict[str, str]:
        return {"experiment": self._experiment, "stage": stage}

    def ended(self, job: Job, outcome: Outcome, attempt: int) -> None:
        tags = self._tags(job.stage.name)
        self._attempts.inc(1, tags | {"status": outcome.status})
        if outcome.status == "done":
            self._left[job.stage.name] -= 1
            self._jobs_left.set(self._left[job.stage.name], tags)
            self._seconds.observe(outcome.seconds, tags)
            if job.passes:
                self._passes.inc(job.passes, tags)

    def close(self) -> None:
        """Nothing is left of the run: the gauges go to zero."""
        for stage in self._left:
            self._jobs_left.set(0, self._tags(stage))
