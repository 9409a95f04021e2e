"""What a tracker is told of a job: flat parameters and metrics with a step, made of any table by one rule.

Of a table's key columns the first of whole numbers is the step. The others make the metric's name, in their order, and
so does a text column called `metric`. Every other column of floats holds values; its own name is left out where it is
`value`. `scores` with the key (depth, split) and the row depth 3, split dev, metric accuracy, value 0.7 becomes the
metric `scores/dev/accuracy` with 0.7 at step 3.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from orchestrator.experiment import Job, TableSpec

NAME_LENGTH = 250  # characters; MLflow refuses longer names of metrics, parameters and tags
VALUE_LENGTH = 6000  # characters of a parameter


@dataclass(frozen=True)
class Measurement:
    """One number of a job's tables."""

    name: str
    value: float
    step: int = 0


def parameters(job: Job) -> dict[str, str]:
    """The job's parameters with nested names joined by dots, and `data`; lists are JSON."""
    flat = dict(_flat("", json.loads(job.params_json)))
    if job.data is not None:
        flat.setdefault("data", job.data)
    return {shortened(_piece(name)): cut(value, VALUE_LENGTH) for name, value in flat.items()}


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and (value or not name):
        for key, item in value.items():
            yield from _flat(f"{name}.{key}" if name else key, item)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


def measurements(tables: Mapping[str, pa.Table], specs: Mapping[str, TableSpec]) -> Iterator[Measurement]:
    """All numbers of a job's tables, NaN and infinities among them; missing values are left out."""
    for table_name, table in tables.items():
        if table_name not in specs:
            continue
        key, schema = specs[table_name].key, specs[table_name].schema
        whole = [name for name in key if pa.types.is_integer(schema.field(name).type)]
        step = whole[0] if whole else None
        naming = [name for name in key if name != step]
        if "metric" in schema.names and "metric" not in key and is_text(schema.field("metric").type):
            naming.append("metric")
        values = [f.name for f in schema if pa.types.is_floating(f.type) and f.name not in key]
        for row in table.select([*key, *(n for n in naming if n not in key), *values]).to_pylist():
            pieces = [table_name, *(_named(name, row[name], schema.field(name).type) for name in naming)]
            for column in values:
                if row[column] is not None:
                    name = "/".join(
                        map(_piece, pieces if column == "value" and len(values) == 1 else [*pieces, column])
                    )
                    yield Measurement(shortened(name), float(row[column]), int(row[step] or 0) if step else 0)


def is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _named(name: str, value: Any, kind: pa.DataType) -> str:
    """A key's part of the name: texts speak for themselves, numbers need their column's name."""
    return str(value) if is_text(kind) else f"{name}-{value}"


def _piece(text: str) -> str:
    """One part of a name, of the characters that every tracker takes; file stores make a folder of it."""
    text = re.sub(r"[^\w.\- ]", "_", text, flags=re.ASCII)
    return text if text.strip(". ") else f"_{text}_"


def shortened(name: str) -> str:
    """The name, or its beginning with a hash of the whole where it is too long."""
    if len(name) <= NAME_LENGTH:
        return name
    return f"{name[: NAME_LENGTH - 17].rstrip('/')}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def is_finite(measurement: Measurement) -> bool:
    return math.isfinite(measurement.value)
