"""`report.html`: one self-contained page with the config, the figures, the summary tables and the failures."""

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from orchestrator.failures import Cause
from orchestrator.plan import StageCount
from orchestrator.printable import printable

ROWS_SHOWN = 200  # of a summary table; the whole of it is in summary/*.parquet


@dataclass(frozen=True, kw_only=True)
class Report:
    """What stands on the page."""

    title: str
    made_at: str
    run: str
    command: str
    config: Mapping[str, str]
    code: str
    versions: Mapping[str, str]
    stages: Sequence[StageCount]
    notes: Sequence[str]
    pictures: Mapping[str, bytes]
    """PNG files by the figure's name."""
    tables: Mapping[str, Any]
    captions: Mapping[str, str]
    causes: Sequence[Cause]
    problems: Sequence[str]


def render(report: Report, redact: Callable[[str], str] = str) -> str:
    """The page as HTML text; pictures are inside it.

    Everything that comes from data, options or errors goes through `redact` and loses its control characters before it
    is escaped, whatever type it has (some bring HTML of their own).
    """

    def safe(value: Any) -> str:
        return printable(redact("".join(str(value))))

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=safe)
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode()
    environment.filters["cell"] = _cell
    template = environment.from_string(Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8"))
    return template.render(report=report, rows_shown=ROWS_SHOWN)


def _cell(value: Any) -> str:
    """A value as a table cell: floats with four digits, NaN by its name, missing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else f"{value:.4g}"
    return str(value)
