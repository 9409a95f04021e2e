"""Which type a column has that holds a job's parameter."""

import typing
from typing import Any

import pyarrow as pa

_ARROW = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


def arrow_type(hint: Any) -> pa.DataType | None:
    """The column type of a scalar parameter; None for tuples and mappings, which are not columns."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return arrow_type(args[0])
    if origin is typing.Literal:
        kinds = {type(value) for value in args if value is not None}
        return _ARROW.get(kinds.pop()) if len(kinds) == 1 else None
    if args and type(None) in args:
        rest = [kind for kind in args if kind is not type(None)]
        return arrow_type(rest[0]) if len(rest) == 1 else None
    return _ARROW.get(hint) if isinstance(hint, type) else None
