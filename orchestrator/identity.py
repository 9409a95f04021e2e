"""Identity of jobs: two jobs are the same job when everything that shapes their numbers is the same.

`job_id` is the first 16 hex digits of SHA-256 over canonical JSON (sorted keys, no blanks) of the stage's name and
version, the parameters, the fingerprints of the data read and the ids of the jobs needed. Nothing else enters: not the
machine, not the order, not the code (a stage's `version` is raised by hand when its meaning changes).

A value without one stable written form is refused, since a hash of `repr` or of a memory address would silently make
every run new.
"""

import dataclasses
import enum
import functools
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
    if type(value) is float and math.isfinite(value):  # what is most frequent comes first
        return value + 0.0  # -0.0 + 0.0 is 0.0
    if hasattr(type(value), "__dataclass_fields__") and not isinstance(value, enum.Enum):
        return _canonical_items({name: getattr(value, name) for name, _, _ in _fields(type(value))}, where)
    if isinstance(value, enum.Enum):
        return canonical(value.value, where)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnstableValue(f"{where} is {value}: NaN and infinities are no part of a job's identity; use None")
        return float(value) + 0.0
    if isinstance(value, tuple | list):
        return [
            item if type(item) in _WRITTEN_AS_IS else canonical(item, f"{where}[{i}]") for i, item in enumerate(value)
        ]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise UnstableValue(f"{where} has the key {key!r}: keys must be strings")
        return _canonical_items(value, where)
    raise UnstableValue(
        f"{where} is a {type(value).__name__}, which has no stable written form; "
        "use numbers, strings, tuples or a frozen dataclass of them"
    )


_WRITTEN_AS_IS = frozenset({str, int, bool, type(None)})  # no call and no text of `where` for most values of most jobs


def _canonical_items(items: Mapping[str, Any], where: str) -> dict[str, Any]:
    plain = dict(items)
    for name, item in items.items():
        if type(item) not in _WRITTEN_AS_IS:
            plain[name] = canonical(item, f"{where}.{name}")
    return plain


_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def canonical_json(value: Any, where: str = "value") -> str:
    """Canonical JSON text of `value`; see `canonical` for what is refused."""
    return _write(canonical(value, where))


def content_hash(value: Any, where: str = "value") -> str:
    """First 16 hex digits of SHA-256 over the canonical JSON of `value`."""
    return _hash(canonical_json(value, where))


def job_id(
    stage: str, version: int, params: Any, data: Mapping[str, str], needs: Mapping[str, str], where: str = "value"
) -> str:
    """The `content_hash` of a job; a million of them are made in seconds.

    Args:
        data: fingerprints of the data read, by name.
        needs: ids of the jobs needed, by name.
    """
    written = canonical_json(params, f"{where}.params")
    read = canonical_json(data, f"{where}.data") if data else "{}"
    needed = canonical_json(needs, f"{where}.needs") if needs else "{}"
    # The canonical JSON of an object with these keys, put together of its parts, keys sorted.
    text = f'{{"data":{read},"needs":{needed},"params":{written},"stage":{_written_name(stage)},"version":{version}}}'
    return _hash(text)


_written_name = functools.cache(_write)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def coerce(params: Any) -> Any:
    """Return the dataclass `params` with every field coerced to its annotated type: `1` in a float field becomes `1.0`.

    So `epochs=3` and `epochs=3.0`, or a list and a tuple, name the same job.

    Raises:
        TypeError: when a value does not fit its field; the message names the field.
    """
    if not hasattr(type(params), "__dataclass_fields__"):
        raise TypeError(f"stage parameters must be a dataclass instance, not {type(params).__name__}")
    name = type(params).__name__
    changes = {}
    for field, hint, scalar in _fields(type(params)):
        old = getattr(params, field)
        if type(old) is scalar and (scalar is not int or _fits(old)):
            continue
        new = _coerce(old, hint, f"{name}.{field}")
        if new is not old:
            changes[field] = new
    return dataclasses.replace(params, **changes) if changes else params


@functools.cache  # resolving annotations costs 50 us, more than the rest of a job's identity
def _fields(cls: type) -> tuple[tuple[str, Any, type | None], ...]:
    """(name, annotated type, the same where it is a plain scalar) of each field of a dataclass."""
    hints = typing.get_type_hints(cls)
    return tuple(
        (f.name, h := hints[f.name], h if h in (str, int, bool, float) else None) for f in dataclasses.fields(cls)
    )


def _fits(value: int) -> bool:
    return -(2**63) <= value < 2**63


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
    if hint is int and isinstance(value, int) and not _fits(value):
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
