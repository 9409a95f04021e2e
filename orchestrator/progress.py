"""Progress of a run: a bar a stage on a terminal, a plain line every few seconds without one."""

import time
from collections import Counter
from collections.abc import Collection, Mapping

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from orchestrator.plan import Plan
from orchestrator.printable import Terminal

PLAIN_SECONDS = 10.0
DRAW_SECONDS = 0.1


class Progress:
    """Counts by stage. Every method is cheap enough to be called for each job of ten thousand."""

    def __init__(self, console: Console | None = None, seconds_left: Mapping[str, float] | None = None, slots: int = 1):
        """
        Args:
            console: where to write; None: standard error.
            seconds_left: seconds that the jobs left of each stage take on one slot, from past runs.
            slots: how many jobs run at once.
        """
        self.console = console or Terminal(stderr=True, soft_wrap=False)
        self._past, self._slots = dict(seconds_left or {}), max(1, slots)
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._waits: TaskID | None = None
        self._total: Counter[str] = Counter()
        self._there: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._waiting: str | None = None
        self._began = self._said = 0.0

    def start(self, plan: Plan, left: Collection[str]) -> None:
        for job_id, job in plan.jobs.items():
            (self._total if job_id in left else self._there)[job.stage.name] += 1
        self._began = self._said = time.monotonic()
        if self.console.is_terminal and self._total:
            self._bars = Bars(
                TextColumn("{task.description:<16}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[counts]}", markup=False),
                TimeRemainingColumn(),
                console=self.console,
                transient=False,
            )
            self._bars.start()
            for stage, total in self._total.items():
                self._tasks[stage] = self._bars.add_task(stage, total=total, counts="")
        elif self._total:
            self._plain()

    def done(self, stage: str, seconds: float) -> None:
        self._done[stage] += 1

    def failed(self, stage: str) -> None:
        self._failed[stage] += 1

    def running(self, by_stage: Counter[str], waiting: str | None = None) -> None:
        """Called after every event or twice a second: draws what is due.

        Args:
            waiting: what the jobs in flight wait for, where it is more than a free slot.
        """
        news = waiting is not None and self._waiting is None
        self._running, self._waiting = by_stage, waiting
        now = time.monotonic()
        if self._bars is not None and now - self._said >= DRAW_SECONDS:
            self._said = now
            for stage, task in self._tasks.items():
                ended = self._done[stage] + self._failed[stage]
                self._bars.update(task, completed=ended, counts=self._counts(stage))
            self._draw_waiting(self._bars)
        elif self._bars is None and (news or now - self._said >= PLAIN_SECONDS):
            self._plain()

    def _draw_waiting(self, bars: Bars) -> None:
        """A line below the bars, as long as there is something to say."""
        if self._waiting and self._waits is None:
            self._waits = bars.add_task("waiting", total=None)
        if self._waits is not None:
            bars.update(self._waits, counts=self._waiting or "", visible=bool(self._waiting))

    def note(self, text: str) -> None:
        """Say a sentence once, above the bars."""
        (self._bars.console if self._bars is not None else self.console).print(
            text, highlight=False, markup=False, soft_wrap=True
        )

    def stop(self) -> None:
        if self._bars is not None:
            self._said = 0.0
            self.running(Counter())
            self._bars.stop()
            self._bars = None
        elif self._total:
            self._plain()

    def _counts(self, stage: str) -> str:
        parts = [f"{self._done[stage]}/{self._total[stage]} done", f"{self._running[stage]} in flight"]
        if self._done[stage]:
            rate = self._done[stage] / max(1e-9, time.monotonic() - self._began)
            parts.append(f"{_digits(rate)} a second" if rate >= 1 else f"{_digits(rate * 60)} a minute")
        if self._failed[stage]:
            parts.append(f"{self._failed[stage]} failed or blocked")
        if self._there[stage]:
            parts.append(f"{self._there[stage]} already there")
        return ", ".join(parts)

    def _plain(self) -> None:
        self._said = time.monotonic()
        elapsed = max(1e-9, self._said - self._began)
        stages = "; ".join(f"{stage}: {self._counts(stage)}" for stage in self._total)
        waiting = f"; {self._waiting}" if self._waiting else ""
        self.note(f"[{elapsed:.0f} s] {stages}{self._time_left(elapsed)}{waiting}")

    def _time_left(self, elapsed: float) -> str:
        ended, total = sum(self._done.values()), sum(self._total.values())
        if ended >= total:
            return ""
        guess = None
        if self._past:
            guess = (
                sum(
                    seconds * (1 - (self._done[stage] + self._failed[stage]) / max(1, self._total[stage]))
                    for stage, seconds in self._past.items()
                )
                / self._slots
            )
        elif ended:
            guess = elapsed * (total - ended) / ended
        return "" if guess is None else f"; about {duration(guess)} left"


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _digits(rate: float) -> str:
    """Two significant digits, and all digits of a large number: 1.6, 16, 162."""
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"
