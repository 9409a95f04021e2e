"""Groups of settings: an option is declared once, and its limit stands in its type.

A group is a frozen dataclass that inherits `Limited`. An experiment's `Config` and the parameters of its stages inherit
the same groups, so that an option's type, default, limit and help are written once, and plans copy a group by one call
of `shared`. Inheriting leaves the canonical JSON of parameters as it is, which nesting would not.

    @dataclass(frozen=True, kw_only=True)
    class Batches(Limited):
        batch_size: Positive = 8
        \"\"\"Examples a training step.\"\"\"

What concerns several fields at once is checked in `__post_init__`, which calls `super().__post_init__()` first.
"""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt, MinLen

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Distinct:
    """No value stands twice in a tuple."""


Positive = Annotated[int, Ge(1)]
NotNegative = Annotated[int, Ge(0)]
AboveZero = Annotated[float, Gt(0)]
ZeroOrMore = Annotated[float, Ge(0)]
Share = Annotated[float, Gt(0), Le(1)]
Probability = Annotated[float, Ge(0), Lt(1)]
"""A dropout rate is one, since everything dropped is no network."""
Several = Annotated[tuple[T, ...], MinLen(1), Distinct()]
"""At least one value, each once. A bound on a tuple, `Annotated[Several[int], Ge(1)]`, is one on each of its values."""


class Limited:
    """Base of frozen dataclasses whose fields have limits in their types.

    Raises:
        ValueError: a value is beyond its limit: the option's name, the value and the remedy.
    """

    def __post_init__(self) -> None:
        for name, fault in _faults(type(self)):
            value = getattr(self, name)
            if value is not None and (found := fault(value)) is not None:
                raise ValueError(f"{option(name)} {found}")
        if (others := getattr(super(), "__post_init__", None)) is not None:  # of a base that is not Limited
            others()


def option(name: str) -> str:
    """A field's name as the command line writes it."""
    return name.replace("_", "-")


def require(fine: bool, name: str, value: object, remedy: str) -> None:
    """Refuse the value of a field unless it is fine, in the words of every refused value.

    Args:
        remedy: what to give instead, as in `batch-size is 0: give at least 1`.

    Raises:
        ValueError: it is not fine.
    """
    if not fine:
        raise ValueError(f"{option(name)} is {_written(value)}: give {remedy}")


def shared(options: Any, params: type) -> dict[str, Any]:
    """The values of all groups of settings that `options` and the class `params` both inherit, by name."""
    return {name: getattr(options, name) for name in _shared_names(type(options), params)}


@functools.cache
def _shared_names(one: type, other: type) -> tuple[str, ...]:
    groups = [c for c in one.__mro__ if c in other.__mro__ and dataclasses.is_dataclass(c)]
    return tuple(dict.fromkeys(field.name for group in groups for field in dataclasses.fields(group)))


def _written(value: object) -> str:
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or "empty"
    return repr(value) if isinstance(value, str) else str(value)


Fault = Callable[[Any], str | None]
"""What is wrong with a value and the remedy, such as `is 0: give at least 1`; None where nothing is."""


@functools.cache  # a million planned jobs are checked twice each
def _faults(cls: type) -> tuple[tuple[str, Fault], ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found = ((field.name, _fault(hints[field.name])) for field in dataclasses.fields(cls))
    return tuple((name, fault) for name, fault in found if fault is not None)


def _fault(hint: Any, outer: tuple[Any, ...] = ()) -> Fault | None:
    """The check of a type; `outer` are the limits that stand around it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _fault(arguments[0], (*arguments[1:], *outer))
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for kind in arguments if kind is not type(None)]
        return _fault(kinds[0], outer) if len(kinds) == 1 else None
    bounds = [limit for limit in outer if isinstance(limit, Ge | Gt | Le | Lt)]
    unknown = [limit for limit in outer if isinstance(limit, BaseMetadata) and not isinstance(limit, MinLen)]
    if len(unknown) > len(bounds):
        raise TypeError(f"limits know at least, more than, at most, less than, MinLen and Distinct, not {unknown}")
    if origin is tuple:
        item = _fault(arguments[0], tuple(bounds))
        least = max((limit.min_length for limit in outer if isinstance(limit, MinLen)), default=0)
        distinct = any(isinstance(limit, Distinct) for limit in outer)
        return functools.partial(_fault_of_many, item, least, distinct) if item or least or distinct else None
    if hint is float or bounds:
        tests = tuple(_TESTS[type(limit)](limit) for limit in bounds)
        remedy = " and ".join(f"{_WORDS[type(limit)]} {_bound(limit):g}" for limit in bounds) or "a finite number"
        return functools.partial(_fault_of_number, tests, remedy)
    return None


_TESTS: dict[type, Callable[[Any], Callable[[Any], bool]]] = {
    Ge: lambda limit: lambda value: value >= limit.ge,
    Gt: lambda limit: lambda value: value > limit.gt,
    Le: lambda limit: lambda value: value <= limit.le,
    Lt: lambda limit: lambda value: value < limit.lt,
}
_WORDS: dict[type, str] = {Ge: "at least", Gt: "more than", Le: "at most", Lt: "less than"}


def _bound(limit: Any) -> float:
    return next(iter(dataclasses.asdict(limit).values()))


def _fault_of_number(tests: tuple[Callable[[Any], bool], ...], remedy: str, value: Any) -> str | None:
    for test in tests:
        if not test(value):
            return f"is {value}: give {remedy}"
    return None if type(value) is int or math.isfinite(value) else f"is {value}: give {remedy}"


def _fault_of_many(item: Fault | None, least: int, distinct: bool, values: Any) -> str | None:
    if len(values) < least:
        return f"is {_written(values)}: give at least {'one' if least == 1 else least}"
    if distinct and len(set(values)) != len(values):
        twice = next(value for i, value in enumerate(values) if value in values[:i])
        return f"has {twice} twice: give each value once"
    if item is not None:
        return next((fault for value in values if (fault := item(value)) is not None), None)
    return None
