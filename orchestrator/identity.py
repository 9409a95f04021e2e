"""Identity of jobs: two jobs are the same job when everything that shapes their numbers is the same.

`job_id` is the first 16 hex digits of SHA-256 over canonical JSON (sorted keys, no blanks) of the stage's name and
version, the parameters, the fingerprints of the data read and the ids of the jobs needed. Nothing else enters: not the
machine, not the order, not the code (a stage's `version` is raised by hand when its meaning changes).

A value without one stable written form is refused, since a hash of `repr` or of a memory address would silently make
every run new.
"""

import dataclasses
import enum
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any


class UnstableValue(ValueError):
    """A parameter has no stable written form, so it cannot be part of a job's identity."""


def canonical(value: Any, where: str = "value") -> Any:
    """Return `value` as plain JSON data with one written form.

    Dataclasses become objects, tuples and lists arrays, enums their values; -0.0 becomes 0.0.

    Raises:
        UnstableValue: for NaN, infinities, callables, arrays, sets, bytes and any other type; it says where.
    """
    if isinstance(value, enum.Enum):
        return canonical(value.value, where)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnstableValue(f"{where} is {value}: NaN and infinities are no part of a job's identity; use None")
        return float(value) + 0.0  # -0.0 + 0.0 is 0.0
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: canonical(getattr(value, f.name), f"{where}.{f.name}") for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [canonical(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UnstableValue(f"{where} has the key {key!r}: keys must be strings")
        return {key: canonical(item, f"{where}.{key}") for key, item in value.items()}
    raise UnstableValue(
        f"{where} is a {type(value).__name__}, which has no stable written form; "
        "use numbers, strings, tuples or a frozen dataclass of them"
    )


def canonical_json(value: Any, where: str = "value") -> str:
    """Canonical JSON text of `value`; see `canonical` for what is refused."""
    return json.dumps(canonical(value, where), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def content_hash(value: Any, where: str = "value") -> str:
    """First 16 hex digits of SHA-256 over the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value, where).encode()).hexdigest()[:16]


def coerce(params: Any) -> Any:
    """Return the dataclass `params` with every field coerced to its annotated type: `1` in a float field becomes `1.0`.

    So `epochs=3` and `epochs=3.0`, or a list and a tuple, name the same job.

    Raises:
        TypeError: when a value does not fit its field; the message names the field.
    """
    if not dataclasses.is_dataclass(params) or isinstance(params, type):
        raise TypeError(f"stage parameters must be a dataclass instance, not {type(params).__name__}")
    hints = _hints(type(params))
    name = type(params).__name__
    changes = {}
    for field in dataclasses.fields(params):
        old = getattr(params, field.name)
        new = _coerce(old, hints[field.name], f"{name}.{field.name}")
        if new is not old:
            changes[field.name] = new
    return dataclasses.replace(params, **changes) if changes else params


_HINTS: dict[type, dict[str, Any]] = {}  # resolving annotations costs 50 us, more than the rest of a job's identity


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    return _HINTS[cls]


def _coerce(value: Any, hint: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is typing.Annotated:
        return _coerce(value, args[0], where)
    if origin in (typing.Union, types.UnionType):
        return _coerce_union(value, args, where)
    if origin is typing.Literal:
        for choice in args:
            if choice == value and type(choice) is type(value):  # 1.0 == 1 == True, but they are written differently
                return value
        raise TypeError(f"{where} is {value!r}; choose one of {', '.join(map(repr, args))}")
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, tuple | list):
            raise TypeError(f"{where} is {value!r}; expected a tuple")
        kinds = [args[0]] * len(value) if len(args) == 2 and args[1] is Ellipsis else list(args)
        if len(kinds) != len(value):
            raise TypeError(f"{where} has {len(value)} items; expected {len(kinds)}")
        return tuple(
            _coerce(item, kind, f"{where}[{i}]") for i, (item, kind) in enumerate(zip(value, kinds, strict=True))
        )
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint is int and isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise TypeError(f"{where} is {value}: it must fit into 64 bits, as in the tables")
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, hint):
        return coerce(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {key: _coerce(item, args[1], f"{where}[{key!r}]") for key, item in value.items()}
    if origin is not None and isinstance(value, origin):
        return value
    raise TypeError(f"{where} is {value!r} ({type(value).__name__}); expected {getattr(hint, '__name__', hint)}")


def _coerce_union(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    problems = []
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return _coerce(value, kind, where)
        except TypeError as problem:
            problems.append(str(problem))
    raise TypeError(problems[0])
