"""From rows to a report: it hands an experiment the rows of its plan and writes the summary that comes back."""

import contextlib
import dataclasses
import datetime
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.code import code_digest, library_versions
from orchestrator.experiment import Summary
from orchestrator.failures import group
from orchestrator.identity import canonical_json
from orchestrator.options import write_range
from orchestrator.parts import JOBS
from orchestrator.plan import Plan, count_stages, left_to_do
from orchestrator.report import Report, render
from orchestrator.secrets import redactor
from orchestrator.snapshot import Snapshot
from orchestrator.store import Store
from orchestrator.sweep import Sweep
from tasks import FIGURE_STYLE

if TYPE_CHECKING:  # half a second, which --plan and --status need not wait for
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class PlannedResults:
    """The `Results` that reduce reads: rows of the plan's jobs only."""

    store: Store
    plan: Plan
    snapshot: Snapshot

    def table(self, name: str) -> "pd.DataFrame":
        """The rows of one table; NaN and missing values stay what they are.

        Raises:
            KeyError: for a table that the experiment does not declare.
        """
        if name not in self.store.specs:
            raise KeyError(f"there is no table {name!r}; there are {sorted(self.store.specs)}")
        return self.store.read(name, self.snapshot, self.plan.jobs.keys()).to_pandas()

    @property
    def jobs(self) -> "pd.DataFrame":
        rows = self.store.read(JOBS, self.snapshot, self.plan.jobs.keys()).to_pandas()
        return rows[rows["current"]].reset_index(drop=True)


def reduce_sweep(sweep: Sweep, snapshot: Snapshot, run_id: str) -> Summary:
    """Write `summary/*.parquet`, `figures/*.{png,svg}` and `report.html`; figures and tables of before are replaced."""
    store, plan = sweep.store, sweep.plan
    results = PlannedResults(store, plan, snapshot)
    pictures = {}
    with figure_style():
        summary = sweep.experiment.load_reduce()(results, sweep.config)
        for name, frame in summary.tables.items():
            store.write_summary(name, frame)
        for name, figure in summary.figures.items():
            for kind in ("png", "svg"):
                data = _picture(figure, kind)
                store.storage.write(f"figures/{name}.{kind}", data)
                pictures.setdefault(name, data)
    _drop_old(store, summary)
    left = left_to_do(plan, snapshot, store.artifacts)
    failures = snapshot.failures(left)
    report = Report(
        title=sweep.experiment.name,
        made_at=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
        run=run_id,
        command=sweep.command,
        config=_readable(sweep.config),
        code=code_digest(),
        versions=json.loads(library_versions()),
        stages=count_stages(plan, snapshot, left),
        notes=summary.notes,
        pictures=pictures,
        tables=summary.tables,
        captions=summary.captions,
        causes=group(failures),
        problems=snapshot.problems,
    )
    store.storage.write("report.html", render(report, redactor()).encode())
    return summary


@contextlib.contextmanager
def figure_style() -> Iterator[None]:
    """The project's style for all that is drawn meanwhile, whatever MPLBACKEND or a matplotlibrc of the user says.

    Figures are written to files, so no backend is asked; one that cannot be loaded would stop matplotlib's import.
    """
    asked = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib.style
    finally:
        if asked is not None:
            os.environ["MPLBACKEND"] = asked
    if asked is not None:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = asked  # a notebook's, for what its user draws afterwards
    with matplotlib.style.context(FIGURE_STYLE, after_reset=True):
        yield


def _picture(figure: Any, kind: str) -> bytes:
    buffer = io.BytesIO()
    # No date in the file: the same rows give the same bytes.
    figure.savefig(buffer, format=kind, metadata={"Date": None} if kind == "svg" else {"Software": None})
    return buffer.getvalue()


def _drop_old(store: Store, summary: Summary) -> None:
    for folder, names in (("figures", summary.figures), ("summary", summary.tables)):
        for file in store.storage.names(folder):
            if Path(file).stem not in names:
                store.storage.delete(f"{folder}/{file}")


def _readable(config: Any) -> dict[str, str]:
    """The config's fields as short texts: ranges of whole numbers as on the command line."""
    texts = {}
    for name, value in json.loads(canonical_json(config, "config")).items():
        if isinstance(value, list) and value and all(type(item) is int for item in value):
            texts[name] = write_range(value)
        elif isinstance(value, list):
            texts[name] = " ".join(map(str, value))
        else:
            texts[name] = "–" if value is None else str(value)
    return texts
