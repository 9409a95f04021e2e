"""What a stage returned, as Arrow tables of just the columns that it declared."""

import numbers
from collections.abc import Mapping

import pyarrow as pa

from orchestrator.experiment import Rows, Stage, TableSpec


class BadRows(TypeError):
    """A stage returned tables or columns that it did not declare."""


def check_tables(stage: Stage, tables: Mapping[str, Rows]) -> dict[str, pa.Table]:
    """The tables of a stage that have rows.

    Raises:
        BadRows: for a table or a column that the stage did not declare, or a value of another type.
    """
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
