"""Failures, grouped by cause: the same error in forty jobs is one line and one traceback."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.printable import printable
from orchestrator.secrets import redactor


@dataclass(frozen=True)
class Cause:
    """Failed jobs with the same status, stage, error and message (numbers and addresses aside)."""

    status: str
    stage: str
    error: str
    message: str
    """Message of the first of the jobs."""
    traceback: str | None
    job_ids: tuple[str, ...]
    log: str | None = None
    """Log of the first job that has one, relative to the store's directory."""

    def __str__(self) -> str:
        count = len(self.job_ids)
        jobs = f"{count} job{'s' if count > 1 else ''}"
        first = next(iter(self.message.strip().splitlines()), "")
        return f"{jobs} of {self.stage} {self.status}: {self.error}: {first} (first: {self.job_ids[0]})"


def signature(status: str, error: str | None, message: str | None) -> tuple[str, str, str]:
    """What makes two failures alike: their message without numbers, hexadecimal ids and paths."""
    text = re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+(\.\d+)?", "#", (message or "").strip())
    return status, error or "", re.sub(r"/\S+", "/…", text)[:200]


def group(attempts: Iterable[Mapping[str, Any]]) -> list[Cause]:
    """Causes of failed attempts (rows as in `jobs.parquet`), the most frequent first."""
    hide = redactor()

    def safe(text: str) -> str:  # the rows may be another machine's, or an older version's, which redacted nothing
        return printable(hide(text))

    groups: dict[tuple[str, tuple[str, str, str]], list[Mapping[str, Any]]] = {}
    for row in attempts:
        alike = signature(row["status"], row["error"], row["message"])
        groups.setdefault((row["stage"], alike), []).append(row)
    causes = [
        Cause(
            status=rows[0]["status"],
            stage=rows[0]["stage"],
            error=safe(rows[0]["error"] or ""),
            message=safe(rows[0]["message"] or ""),
            traceback=next((safe(r["traceback"]) for r in rows if r["traceback"]), None),
            job_ids=tuple(r["job_id"] for r in rows),
            log=next((r["log"] for r in rows if r.get("log")), None),
        )
        for rows in groups.values()
    ]
    return sorted(causes, key=lambda cause: -len(cause.job_ids))
